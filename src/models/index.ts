export * from "../adapters/index.ts";
export { type AutoModelOptions, autoModel, type Classifier, type ModelFor, type Task } from "./auto-model.ts";
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
export { fit } from "./fit/fit.ts";
export type { Criterion, FitOptions } from "./fit/fit-options.ts";
export type { EpochRecord, FitResult } from "./fit/fit-result.ts";
export type { ClassWeights } from "./fit/labelled-texts.ts";
export { type Prediction, type PredictOptions, predict } from "./fit/predict.ts";
export type { Rate, Rates } from "./fit/rates.ts";
export { type LoadedWeights, loadPretrained } from "./folder/load-pretrained.ts";
export { savePretrained } from "./folder/save-pretrained.ts";
export { type ClassMetrics, classMetrics, type LabelMetrics } from "./metrics/class-metrics.ts";
export { type EncoderInputs, type EncoderOutput, PretrainedModel } from "./pretrained-model.ts";
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
