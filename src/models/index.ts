export * from "../adapters/index.ts";
export { type ExportOnnxOptions, exportOnnx, type InputSpec } from "../onnx/index.ts";
export {
  type AutoModelOptions,
  autoModel,
  type Classifier,
  type Embedder,
  type MeasuredBy,
  type ModelFor,
  type Tagger,
  type Task,
} from "./auto-model.ts";
export {
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
} from "./bert/bert-heads.ts";
export { BertModel, type PoolerOptions } from "./bert/bert-model.ts";
export type { Config } from "./config.ts";
export {
  DistilBertForMaskedLM,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from "./distilbert/distilbert-heads.ts";
export { DistilBertModel } from "./distilbert/distilbert-model.ts";
export { batchesWithoutDuplicates } from "./embeddings/batches-without-duplicates.ts";
export { Dense, type DenseSettings } from "./embeddings/dense.ts";
export { embedInChunks } from "./embeddings/embed-in-chunks.ts";
export { EmbeddingModel, type EmbeddingOptions } from "./embeddings/embedding-model.ts";
export type { EncodeTextsOptions } from "./embeddings/encode-texts.ts";
export type { EmbeddingLoss, EmbeddingLossOptions } from "./embeddings/loss-by-columns.ts";
export { cosentLoss } from "./embeddings/losses/cosent.ts";
export { cosineSimilarityLoss } from "./embeddings/losses/cosine-similarity.ts";
export {
  multipleNegativesRankingLoss,
  type RankingLossOptions,
  type ScaleOptions,
} from "./embeddings/losses/multiple-negatives-ranking.ts";
export { tripletLoss } from "./embeddings/losses/triplet.ts";
export type { PoolingMode } from "./embeddings/pooling.ts";
export type { EncoderInputs, EncoderOutput } from "./encoder-inputs.ts";
export { fit } from "./fit/fit.ts";
export type { Criterion, FitOptions, KeepPrefixOptions } from "./fit/fit-options.ts";
export type { EpochRecord, FitResult } from "./fit/fit-result.ts";
export type { FrozenMode } from "./fit/frozen-mode.ts";
export type { ClassWeights } from "./fit/objectives/class-weights.ts";
export type {
  EntityPrediction,
  LabelsPrediction,
  NumberPrediction,
  Prediction,
  TagPrediction,
  TokenPrediction,
} from "./fit/objectives/predictions.ts";
export { type GradualUnfreezingOptions, gradualUnfreezing } from "./fit/phases/gradual-unfreezing.ts";
export { type LinearProbeOptions, linearProbeThenFinetune } from "./fit/phases/linear-probe-then-finetune.ts";
export type {
  Phase,
  PhaseMoment,
  PhaseRecord,
  PhaseStart,
  Trains,
  TrainsFunction,
} from "./fit/phases/phase.ts";
export type { PredictOptions } from "./fit/predict.ts";
export type { PrefixRecord } from "./fit/prefix/prefix-record.ts";
export type { Rate, Rates } from "./fit/rates.ts";
export type { EpochEvent, StepEvent } from "./fit/run-events.ts";
export { type LoadedWeights, loadPretrained } from "./folder/load-pretrained.ts";
export { type ClassMetrics, classMetrics } from "./metrics/class-metrics.ts";
export type { EmbeddingMetrics, RankingMetrics, ScoredPairMetrics } from "./metrics/embedding-metrics.ts";
export { type Entity, entitiesOf } from "./metrics/entities.ts";
export type { LabelMetrics } from "./metrics/label-metrics.ts";
export { type LabelsMetrics, labelsMetrics } from "./metrics/labels-metrics.ts";
export type { MaskedMetrics, Metrics } from "./metrics/metrics.ts";
export { type NumberMetrics, numberMetrics, pearson, spearman } from "./metrics/number-metrics.ts";
export { type RetrievalMetrics, retrievalMetrics } from "./metrics/retrieval-metrics.ts";
export { type TaggedText, type TagMetrics, tagMetrics } from "./metrics/tag-metrics.ts";
export { tripletAccuracy } from "./metrics/triplet-accuracy.ts";
export {
  MPNetForMaskedLM,
  MPNetForSequenceClassification,
  MPNetForTokenClassification,
} from "./mpnet/mpnet-heads.ts";
export { MPNetModel } from "./mpnet/mpnet-model.ts";
export { PretrainedModel, type SavePretrainedOptions } from "./pretrained-model.ts";
export type { ResizeOptions } from "./resize-token-embeddings.ts";
export {
  RobertaForMaskedLM,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from "./roberta/roberta-heads.ts";
export { RobertaModel } from "./roberta/roberta-model.ts";
export { readTokenizer } from "./text/read-tokenizer.ts";
export {
  alignLabels,
  type Encoded,
  type EncodeOptions,
  type Text,
  TextTokenizer,
  type TokenBatch,
  type TokenizerSettings,
} from "./text/text-tokenizer.ts";
export type { Side } from "./text/truncate.ts";
export { type ReadDataOptions, readData } from "./text-data/read-data.ts";
export type { SplitOptions } from "./text-data/split-texts.ts";
export { type Target, type TargetKind, TextDataset, type TextExample } from "./text-data/text-dataset.ts";
