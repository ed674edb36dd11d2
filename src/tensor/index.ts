export type { DType, TypedArray } from "../base/dtype.ts";
export { enableGrad, type GradientOptions, isGradEnabled, noGrad } from "./autograd.ts";
export { Buffer } from "./buffer.ts";
export { capture } from "./capture.ts";
export { type CdistOptions, cdist } from "./cdist.ts";
export { checkpoint, checkpointSequential } from "./checkpoint.ts";
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
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from "./create.ts";
export {
  customFunction,
  FunctionContext,
  type InputGradients,
  type ResultGradients,
} from "./custom-function.ts";
export type { TensorData } from "./data-node.ts";
export { getRandomState, manualSeed, type RandomState, setRandomState } from "./draws.ts";
export { type EmbeddingOptions, embedding } from "./embedding.ts";
export { erfinv } from "./erfinv.ts";
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
export { type HistcOptions, histc } from "./histc.ts";
export { mode } from "./mode.ts";
export type { Nested } from "./nested.ts";
export type { Slice } from "./operations/indexing.ts";
export type { Dim, Indexed } from "./operations/reduction.ts";
export { Parameter } from "./parameter.ts";
export {
  bernoulli,
  dropoutMask,
  multinomial,
  normal,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
  uniform,
} from "./random.ts";
export { Region } from "./region.ts";
export { renorm } from "./renorm.ts";
export { bucketize, isin, type SearchOptions, type SearchSortedOptions, searchsorted } from "./searching.ts";
export {
  atleast1d,
  atleast2d,
  atleast3d,
  blockDiag,
  cartesianProd,
  columnStack,
  combinations,
  dstack,
  hstack,
  type MeshgridIndexing,
  meshgrid,
  stdMean,
  varMean,
  vstack,
} from "./stacking.ts";
export { Stored } from "./stored.ts";
export { gradient, Tensor } from "./tensor.ts";
export { type ContractedDims, tensordot } from "./tensordot.ts";
export { cumulativeTrapezoid, type TrapezoidOptions, trapezoid } from "./trapezoid.ts";
export { vander } from "./vander.ts";
