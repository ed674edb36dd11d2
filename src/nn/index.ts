export { Buffer } from "../tensor/buffer.ts";
export { Parameter } from "../tensor/parameter.ts";
export * from "./activations.ts";
export {
  AdaptiveLogSoftmaxWithLoss,
  type AdaptiveLoss,
  type AdaptiveSoftmaxOptions,
} from "./adaptive-log-softmax.ts";
export { BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions } from "./batch-norm.ts";
export { type BatchNormFunctionOptions, batchNorm } from "./batch-norm-function.ts";
export { Bilinear, bilinear } from "./bilinear.ts";
export { ChannelShuffle, channelShuffle } from "./channel-shuffle.ts";
export type { MatchOptions } from "./compare-state.ts";
export { CosineSimilarity, type CosineSimilarityOptions, cosineSimilarity } from "./cosine-similarity.ts";
export {
  AlphaDropout,
  alphaDropout,
  Dropout,
  Dropout1d,
  Dropout2d,
  Dropout3d,
  type DropoutOptions,
  dropout,
  dropout1d,
  dropout2d,
  dropout3d,
  FeatureAlphaDropout,
  featureAlphaDropout,
} from "./dropout.ts";
export { Embedding } from "./embedding.ts";
export {
  type BagMode,
  EmbeddingBag,
  type EmbeddingBagFunctionOptions,
  type EmbeddingBagOptions,
  embeddingBag,
} from "./embedding-bag.ts";
export { Flatten, Unflatten } from "./flatten.ts";
export { functionalCall } from "./functional-call.ts";
export { GLU, type GLUOptions, glu } from "./glu.ts";
export { GroupNorm, type GroupNormOptions } from "./group-norm.ts";
export { groupedMm } from "./grouped-mm.ts";
export { type GumbelSoftmaxOptions, gumbelSoftmax } from "./gumbel-softmax.ts";
export type { ForwardHook, ForwardPreHook, HookHandle, HookOptions } from "./hooks.ts";
export { Identity } from "./identity.ts";
export * as init from "./init/index.ts";
export {
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  type InstanceNormOptions,
} from "./instance-norm.ts";
export { LayerNorm, type LayerNormOptions } from "./layer-norm.ts";
export { Linear } from "./linear.ts";
export {
  LocalResponseNorm,
  type LocalResponseNormOptions,
  localResponseNorm,
} from "./local-response-norm.ts";
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
export {
  MultiheadAttention,
  type MultiheadAttentionMasks,
  type MultiheadAttentionOptions,
} from "./multihead-attention.ts";
export { type NormalizeOptions, normalize } from "./normalize.ts";
export {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  type Padding,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
} from "./padding.ts";
export { PairwiseDistance, type PairwiseDistanceOptions, pairwiseDistance } from "./pairwise-distance.ts";
export { ParameterDict } from "./parameter-dict.ts";
export { ParameterList } from "./parameter-list.ts";
export {
  Parametrization,
  type Parametrized,
  registerParametrization,
  removeParametrizations,
} from "./parametrize.ts";
export { PixelShuffle, PixelUnshuffle, pixelShuffle, pixelUnshuffle } from "./pixel-shuffle.ts";
export { PReLU, type PReLUOptions } from "./prelu.ts";
export { RMSNorm, type RMSNormOptions } from "./rms-norm.ts";
export {
  type RotaryAnglesOptions,
  RotaryEmbedding,
  type RotaryEmbeddingOptions,
  type RotaryOptions,
  rotaryAngles,
  rotaryEmbedding,
} from "./rotary-embedding.ts";
export { RReLU, type RReLUOptions, rrelu } from "./rrelu.ts";
export { type AttentionOptions, scaledDotProductAttention } from "./scaled-dot-product-attention.ts";
export { Sequential } from "./sequential.ts";
export { Hardshrink, Softshrink, Threshold } from "./shrinking.ts";
export { LogSoftmax, Softmax, Softmax2d, type SoftmaxOptions, Softmin } from "./softmax.ts";
export { SyncBatchNorm } from "./sync-batch-norm.ts";
export {
  type Decoder,
  type Encoder,
  Transformer,
  type TransformerMasks,
  type TransformerOptions,
} from "./transformer.ts";
export { type DecoderLayer, TransformerDecoder } from "./transformer-decoder.ts";
export { TransformerDecoderLayer, type TransformerDecoderMasks } from "./transformer-decoder-layer.ts";
export {
  type EncoderLayer,
  TransformerEncoder,
  type TransformerEncoderMasks,
} from "./transformer-encoder.ts";
export { TransformerEncoderLayer, type TransformerEncoderLayerMasks } from "./transformer-encoder-layer.ts";
export type { TransformerActivation, TransformerLayerOptions } from "./transformer-options.ts";
export { WeightNorm, type WeightNormOptions, weightNorm } from "./weight-norm.ts";
