export type { DType, TypedArray } from "../base/dtype.ts";
export { enableGrad, type GradientOptions, isGradEnabled, noGrad } from "./autograd.ts";
export { Buffer } from "./buffer.ts";
export { capture } from "./capture.ts";
export { type CdistOptions, cdist, pdist } from "./cdist.ts";
export { checkpoint, checkpointSequential } from "./checkpoint.ts";
export {
  arange,
  asTensor,
  empty,
  emptyLike,
  eye,
  fromArray,
  full,
  fullLike,
  linspace,
  logspace,
  ones,
  onesLike,
  scalarTensor,
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
export { Generator, getRandomState, manualSeed, type RandomState, setRandomState } from "./draws.ts";
export { type EmbeddingOptions, embedding } from "./embedding.ts";
export { erfinv } from "./erfinv.ts";
export { type FloatInfo, finfo, type IntegerInfo, iinfo } from "./finfo.ts";
export { FloatNumber, float } from "./float.ts";
export { formatTensor } from "./format.ts";
export {
  allclose,
  broadcastTensors,
  cat,
  concat,
  concatenate,
  einsum,
  equal,
  groupNorm,
  isTensor,
  layerNorm,
  linear,
  matmul,
  maximum,
  minimum,
  oneHot,
  rmsNorm,
  slice,
  stack,
  where,
} from "./functions.ts";
export { type HistcOptions, histc } from "./histc.ts";
export * as linalg from "./linalg.ts";
export * as masked from "./masked.ts";
export type { Unique, UniqueOptions } from "./methods/scattering.ts";
export { mode } from "./mode.ts";
export type { Nested } from "./nested.ts";
export type { Slice } from "./operations/indexing.ts";
export type { PadMode } from "./operations/padding.ts";
export type { Dim, Indexed } from "./operations/reduction.ts";
export { Parameter } from "./parameter.ts";
export {
  bernoulli,
  dropoutMask,
  multinomial,
  normal,
  type RandomOptions,
  rand,
  randint,
  randintLike,
  randLike,
  randn,
  randnLike,
  randperm,
  uniform,
} from "./random.ts";
export { Region } from "./region.ts";
export { renorm } from "./renorm.ts";
export { bucketize, isin, type SearchOptions, type SearchSortedOptions, searchsorted } from "./searching.ts";
export { sinc } from "./sinc.ts";
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
export { type TriangleOptions, trilIndices, triuIndices } from "./triangle-indices.ts";
export { unravelIndex } from "./unravel-index.ts";
export { vander } from "./vander.ts";
export {
  bartlettWindow,
  blackmanWindow,
  hammingWindow,
  hannWindow,
  kaiserWindow,
  type WindowOptions,
} from "./windows.ts";
