export type { DType, TypedArray } from "../base/dtype.ts";
export { enableGrad, type GradientOptions, isGradEnabled, noGrad } from "./autograd.ts";
export { Buffer } from "./buffer.ts";
export { capture } from "./capture.ts";
export {
  arange,
  empty,
  emptyLike,
  eye,
  fromArray,
  full,
  fullLike,
  linspace,
  ones,
  onesLike,
  type TensorData,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from "./create.ts";
export { type EmbeddingOptions, embedding } from "./embedding.ts";
export { FloatNumber, float } from "./float.ts";
export { formatTensor } from "./format.ts";
export {
  allclose,
  broadcastTensors,
  cat,
  concat,
  einsum,
  equal,
  isTensor,
  layerNorm,
  linear,
  matmul,
  maximum,
  minimum,
  oneHot,
  slice,
  stack,
  where,
} from "./functions.ts";
export type { Nested } from "./nested.ts";
export type { Slice } from "./operations/indexing.ts";
export type { Dim, Indexed } from "./operations/reduction.ts";
export { Parameter } from "./parameter.ts";
export {
  bernoulli,
  dropoutMask,
  getRandomState,
  manualSeed,
  multinomial,
  normal,
  type RandomState,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
  setRandomState,
  uniform,
} from "./random.ts";
export { Region } from "./region.ts";
export { Stored } from "./stored.ts";
export { gradient, Tensor } from "./tensor.ts";
