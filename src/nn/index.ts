export * from "./activations.ts";
export { BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions } from "./batch-norm.ts";
export { type BatchNormFunctionOptions, batchNorm } from "./batch-norm-function.ts";
export type { MatchOptions } from "./compare-state.ts";
export { Dropout, dropout } from "./dropout.ts";
export { Embedding } from "./embedding.ts";
export { Flatten } from "./flatten.ts";
export { Identity } from "./identity.ts";
export * as init from "./init/index.ts";
export { LayerNorm, type LayerNormOptions } from "./layer-norm.ts";
export { Linear } from "./linear.ts";
export * from "./losses/index.ts";
export type { IncompatibleKeys } from "./match-state.ts";
export {
  type Layer,
  type Member,
  Module,
  type StateDict,
  type WalkOptions,
} from "./module.ts";
export { ModuleDict } from "./module-dict.ts";
export { ModuleList } from "./module-list.ts";
export { type NormalizeOptions, normalize } from "./normalize.ts";
export { Sequential } from "./sequential.ts";
