export {
  calculateFanInAndFanOut,
  calculateGain,
  constant_,
  eye_,
  type KaimingOptions,
  kaimingNormal_,
  kaimingUniform_,
  type Nonlinearity,
  normal_,
  ones_,
  uniform_,
  xavierNormal_,
  xavierUniform_,
  zeros_,
} from "./scale.ts";
export { orthogonal_, type TruncNormalOptions, truncNormal_ } from "./special.ts";
