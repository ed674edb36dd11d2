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
  type DistanceOptions,
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
export {
  GaussianNLLLoss,
  type GaussianOptions,
  gaussianNllLoss,
  PoissonNLLLoss,
  type PoissonOptions,
  poissonNllLoss,
} from "./likelihoods.ts";
export {
  LinearCrossEntropyLoss,
  type LinearCrossEntropyLossOptions,
  type LinearCrossEntropyOptions,
  linearCrossEntropy,
} from "./linear-cross-entropy.ts";
export { MultiMarginLoss, type MultiMarginOptions, multiMarginLoss } from "./multi-margin.ts";
export {
  MultiLabelMarginLoss,
  MultiLabelSoftMarginLoss,
  type MultilabelOptions,
  multilabelMarginLoss,
  multilabelSoftMarginLoss,
} from "./multilabel.ts";
export { type ClassLossOptions, NLLLoss, nllLoss } from "./nll.ts";
export {
  CosineEmbeddingLoss,
  cosineEmbeddingLoss,
  MarginRankingLoss,
  marginRankingLoss,
  type PairOptions,
} from "./pairs.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
export {
  HingeEmbeddingLoss,
  type HingeOptions,
  hingeEmbeddingLoss,
  SoftMarginLoss,
  softMarginLoss,
} from "./signed.ts";
export {
  type Distance,
  type TripletDistanceOptions,
  TripletMarginLoss,
  TripletMarginWithDistanceLoss,
  type TripletOptions,
  tripletMarginLoss,
  tripletMarginWithDistanceLoss,
} from "./triplet.ts";
