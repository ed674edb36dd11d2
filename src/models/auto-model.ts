import { adapterIn } from "../adapters/load-adapter.ts";
import { ArgumentError, ConfigError, FileError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { printable } from "../base/printable.ts";
import { joinPath, localPath } from "../base/storage/index.ts";
import type { Folder } from "../checkpoint/places/folder.ts";
import { folderAt } from "../checkpoint/places/folder-at.ts";
import type { Transfer } from "../checkpoint/places/place.ts";
import type { ofAnyClass } from "../nn/paths.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
} from "./bert/bert-heads.ts";
import { BertModel } from "./bert/bert-model.ts";
import { type Config, withLabels, withProblem } from "./config.ts";
import {
  DistilBertForMaskedLM,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from "./distilbert/distilbert-heads.ts";
import { DistilBertModel } from "./distilbert/distilbert-model.ts";
import type { EmbeddingModel } from "./embeddings/embedding-model.ts";
import { openEmbeddingModel } from "./embeddings/open-embedding-model.ts";
import type { EncoderOutput } from "./encoder-inputs.ts";
import type {
  EntityPrediction,
  LabelsPrediction,
  NumberPrediction,
  Prediction,
  TagPrediction,
  TokenPrediction,
} from "./fit/objectives/predictions.ts";
import type { PredictOptions } from "./fit/predict.ts";
import { putPretrained } from "./folder/load-pretrained.ts";
import { readConfig } from "./folder/read-config.ts";
import type { ClassMetrics } from "./metrics/class-metrics.ts";
import type { EmbeddingMetrics } from "./metrics/embedding-metrics.ts";
import type { LabelsMetrics } from "./metrics/labels-metrics.ts";
import type { MaskedMetrics, Metrics } from "./metrics/metrics.ts";
import type { NumberMetrics } from "./metrics/number-metrics.ts";
import type { TagMetrics } from "./metrics/tag-metrics.ts";
import {
  MPNetForMaskedLM,
  MPNetForSequenceClassification,
  MPNetForTokenClassification,
} from "./mpnet/mpnet-heads.ts";
import { MPNetModel } from "./mpnet/mpnet-model.ts";
import type { PretrainedModel } from "./pretrained-model.ts";
import {
  RobertaForMaskedLM,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from "./roberta/roberta-heads.ts";
import { RobertaModel } from "./roberta/roberta-model.ts";
import { tokenizerIn } from "./text/read-tokenizer.ts";
import type { Text, TextTokenizer } from "./text/text-tokenizer.ts";

const bert = {
  encode: BertModel,
  classify: BertForSequenceClassification,
  multiLabel: BertForSequenceClassification,
  regress: BertForSequenceClassification,
  tag: BertForTokenClassification,
  maskedLM: BertForMaskedLM,
};
const roberta = {
  encode: RobertaModel,
  classify: RobertaForSequenceClassification,
  multiLabel: RobertaForSequenceClassification,
  regress: RobertaForSequenceClassification,
  tag: RobertaForTokenClassification,
  maskedLM: RobertaForMaskedLM,
};
const distilbert = {
  encode: DistilBertModel,
  classify: DistilBertForSequenceClassification,
  multiLabel: DistilBertForSequenceClassification,
  regress: DistilBertForSequenceClassification,
  tag: DistilBertForTokenClassification,
  maskedLM: DistilBertForMaskedLM,
};
const mpnet = {
  encode: MPNetModel,
  classify: MPNetForSequenceClassification,
  multiLabel: MPNetForSequenceClassification,
  regress: MPNetForSequenceClassification,
  tag: MPNetForTokenClassification,
  maskedLM: MPNetForMaskedLM,
};

/** The models of each task, by the `model_type` of a config. */
const architectures: Readonly<
  Record<string, { readonly [T in HeadTask]: new (config: Config) => PretrainedModel }>
> = {
  bert,
  roberta,
  "xlm-roberta": roberta,
  camembert: roberta,
  distilbert,
  mpnet,
};

/** What a class of each architecture is for. */
type HeadTask = "encode" | "classify" | "multiLabel" | "regress" | "tag" | "maskedLM";

/**
 * What a model is for: hidden states; of a text or a pair one label, several labels, or a number; a label for each word;
 * the token at a place; one vector of a text.
 */
export type Task = HeadTask | "embed";

/** What the kinds of tasks for a text or a pair are called in a config. */
const problems: Readonly<Partial<Record<Task, string>>> = {
  classify: "single_label_classification",
  multiLabel: "multi_label_classification",
  regress: "regression",
};

/** A model of whatever kind its folder is: types of paths do not know its fields, so that any path goes. */
type OfAnyKind<R> = PretrainedModel<R> & { readonly [ofAnyClass]?: never };

declare const measuredBy: unique symbol;

/** A model that `fit` measures by metrics `M`. */
export interface MeasuredBy<M extends Metrics> {
  readonly [measuredBy]?: M;
}

/** A model that finds `P` for each text, and is measured by `M`. */
type Predictor<P, M extends Metrics> = {
  predict(texts: readonly Text[], options?: PredictOptions): Promise<P[]>;
} & OfAnyKind<Tensor> &
  MeasuredBy<M>;

/** A model that gives words labels, or finds entities in texts. */
export interface Tagger extends Predictor<TagPrediction, TagMetrics>, Labelled {
  predict(
    texts: readonly string[],
    options: PredictOptions & { readonly aggregationStrategy: "simple" },
  ): Promise<EntityPrediction[]>;
  predict(texts: readonly Text[], options?: PredictOptions): Promise<TagPrediction[]>;
}

interface Labelled {
  readonly labels: readonly string[];
}

/** A model that gives a text, or a pair, one of several labels. */
export type Classifier = Predictor<Prediction, ClassMetrics> & Labelled;

/** A model that makes one vector of a text. */
export type Embedder = EmbeddingModel & { readonly [ofAnyClass]?: never } & MeasuredBy<EmbeddingMetrics>;

/** A model for a task. */
export type ModelFor<T extends Task> = {
  encode: OfAnyKind<EncoderOutput>;
  classify: Classifier;
  multiLabel: Predictor<LabelsPrediction, LabelsMetrics> & Labelled;
  regress: Predictor<NumberPrediction, NumberMetrics> & Labelled;
  tag: Tagger;
  maskedLM: Predictor<TokenPrediction, MaskedMetrics>;
  embed: Embedder;
}[T];

/** Options of `autoModel`. */
export interface AutoModelOptions<T extends Task> extends Transfer {
  /** What the model is for; "encode" unless given. */
  readonly task?: T;
  /** The names of classes of "classify", "multiLabel" and "tag"; those of the config unless given. */
  readonly labels?: readonly string[];
  /** What makes numbers of texts; the folder's, where it has one, unless given. Null: nothing does. */
  readonly tokenizer?: TextTokenizer | null;
}

/**
 * A model with the weights of a folder of Hugging Face's, in eval mode.
 *
 * Takes the path or the URL of a folder with `config.json` and safetensors, or with an adapter of PEFT's, which names the
 * folder of its base (from here, or from beside it) and is loaded with that; in a page a URL may be relative, and `opfs:…` is a folder in the origin's
 * own file system. `onProgress` is told how far the weights have come from there, and `signal` ends it. And which `task` the model is for: "encode" (hidden
 * states); "classify", "multiLabel" or "regress" (a text or a pair: one label, several, a number); "tag" (each word);
 * "maskedLM"; or "embed" (one vector a text: as a folder of sentence-transformers says, or else the mean of tokens). With
 * other `labels` than the folder's, or where the folder has no head for the task, the head is drawn. The model holds the
 * tokenizer of the folder.
 * Throws `ConfigError` for a folder without a config, of a kind that is not there, or that asks for what is not;
 * `StateDictError`, `SafetensorsError`, `FileError` and `HttpError` as `loadPretrained`; `ArgumentError` for options that cannot be.
 * Source: `AutoModel` and its like of transformers.
 */
export async function autoModel<T extends Task = "encode">(
  folder: string | URL,
  options: AutoModelOptions<T> = {},
): Promise<ModelFor<T>> {
  refuseOptions("autoModel", options, {
    task: null,
    labels: null,
    tokenizer: null,
    onProgress: null,
    signal: null,
  });
  const { task = "encode" as T, onProgress, signal, ...given } = options;
  const transfer: Transfer = {
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  };
  signal?.throwIfAborted();
  return openModel(folderAt(folder, transfer), task, given, transfer);
}

/** As `autoModel`, of a folder that is open. */
async function openModel<T extends Task>(
  folder: Folder,
  task: T,
  { labels, tokenizer }: Pick<AutoModelOptions<T>, "labels" | "tokenizer">,
  transfer: Transfer,
): Promise<ModelFor<T>> {
  if (task === "embed") {
    refuseLabels(task, labels);
    const encoder = (at: Folder) =>
      openModel(at, "encode", tokenizer === undefined ? {} : { tokenizer }, transfer);
    return (await openEmbeddingModel(folder, encoder)) as unknown as ModelFor<T>;
  }
  const base = await adaptedBase(folder, transfer);
  // A folder of adapters has a config and a tokenizer where thaw has written it, and else those of the base hold.
  const has = async (at: Folder, name: string) => (await at.which([name])).size > 0;
  const from = async (name: string) => (base === null || (await has(folder, name)) ? folder : base);
  const config = await readConfig(await from("config.json"));
  const model = modelOf(config, task as HeadTask, labels, folder.name);
  const place = await from("tokenizer.json");
  model.tokenizer =
    tokenizer === undefined && (await has(place, "tokenizer.json"))
      ? await tokenizerIn(place)
      : (tokenizer ?? null);
  const weights = base ?? folder;
  model.drawn = putPretrained(model, await weights.tensors(), weights.name).drawn;
  model.folder = weights.name;
  if (base !== null) await adapterIn(model, folder);
  model.eval();
  return model as ModelFor<T>;
}

/** The folder of the base that the adapter in a folder names; null: there is none, or weights are there too. */
async function adaptedBase(folder: Folder, transfer: Transfer): Promise<Folder | null> {
  if ((await folder.which(["adapter_config.json"])).size === 0 || (await folder.hasWeights())) return null;
  const { base_model_name_or_path: base } = await readConfig(folder, "adapter_config.json");
  // A path that leads nowhere from here may lead somewhere from beside the adapter.
  const own = localPath(folder.name);
  const places = typeof base !== "string" ? [] : own === null ? [base] : [base, joinPath(own, `../${base}`)];
  for (const place of places)
    try {
      const named = folderAt(place, transfer);
      if (await named.isThere()) return named;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
  throw new ConfigError(
    `${folder.name} holds an adapter of ${printable(JSON.stringify(base ?? null))}, which is no folder here; open the base with autoModel and call loadAdapter(model, ${JSON.stringify(folder.name)})`,
  );
}

/** A model of a config, with weights that are drawn. Arguments and errors are those of `autoModel`. */
function modelOf(
  config: Config,
  task: HeadTask,
  labels?: readonly string[],
  name = "The config",
): PretrainedModel {
  const type = config.model_type;
  if (typeof type !== "string" || !Object.hasOwn(architectures, type))
    throw new ConfigError(
      `${name}: model_type is ${JSON.stringify(type) ?? "not there"}; there is ${Object.keys(architectures).join(", ")}`,
    );
  const tasks = architectures[type]!;
  if (!Object.hasOwn(tasks, task))
    throw new ArgumentError(
      `task: ${JSON.stringify(task)} is none; it is ${Object.keys(tasks).join(", ")}, embed`,
    );
  refuseLabels(task, labels);
  const labelled = labels === undefined ? config : withLabels(config, labels);
  // Of a folder that says which of them it is, "classify" without labels is whichever that is.
  const says = task === "classify" && labels === undefined;
  const problem = says ? undefined : problems[task];
  return new tasks[task](problem === undefined ? labelled : withProblem(labelled, problem));
}

function refuseLabels(task: Task, labels: readonly string[] | undefined): void {
  if (labels !== undefined && !["classify", "multiLabel", "tag"].includes(task))
    throw new ArgumentError(
      `labels: a model for "${task}" has none; they are for "classify", "multiLabel" and "tag"`,
    );
}
