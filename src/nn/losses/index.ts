export {
  BCELoss,
  BCEWithLogitsLoss,
  type BinaryLossOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  type LogitLossOptions,
} from "./binary-cross-entropy.ts";
export { CrossEntropyLoss, type CrossEntropyOptions, crossEntropy } from "./cross-entropy.ts";
export {
  HuberLoss,
  huberLoss,
  L1Loss,
  l1Loss,
  MSELoss,
  mseLoss,
  SmoothL1Loss,
  smoothL1Loss,
} from "./distance.ts";
export { KLDivLoss, type KLDivOptions, klDiv } from "./kl-div.ts";
export { type ClassLossOptions, NLLLoss, nllLoss } from "./nll.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
