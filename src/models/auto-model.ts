import { ArgumentError, ConfigError } from "../base/errors.ts";
import type { ofAnyClass } from "../nn/paths.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
} from "./bert/bert-heads.ts";
import { BertModel } from "./bert/bert-model.ts";
import { type Config, withLabels } from "./config.ts";
import {
  DistilBertForMaskedLM,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from "./distilbert/distilbert-heads.ts";
import { DistilBertModel } from "./distilbert/distilbert-model.ts";
import type { EmbeddingModel } from "./embeddings/embedding-model.ts";
import { openEmbeddingModel } from "./embeddings/open-embedding-model.ts";
import { loadPretrained } from "./folder/load-pretrained.ts";
import { readConfig } from "./folder/read-config.ts";
import {
  MPNetForMaskedLM,
  MPNetForSequenceClassification,
  MPNetForTokenClassification,
} from "./mpnet/mpnet-heads.ts";
import { MPNetModel } from "./mpnet/mpnet-model.ts";
import type { EncoderOutput, PretrainedModel } from "./pretrained-model.ts";
import {
  RobertaForMaskedLM,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from "./roberta/roberta-heads.ts";
import { RobertaModel } from "./roberta/roberta-model.ts";

const bert = {
  encode: BertModel,
  classify: BertForSequenceClassification,
  tag: BertForTokenClassification,
  maskedLM: BertForMaskedLM,
};
const roberta = {
  encode: RobertaModel,
  classify: RobertaForSequenceClassification,
  tag: RobertaForTokenClassification,
  maskedLM: RobertaForMaskedLM,
};
const distilbert = {
  encode: DistilBertModel,
  classify: DistilBertForSequenceClassification,
  tag: DistilBertForTokenClassification,
  maskedLM: DistilBertForMaskedLM,
};
const mpnet = {
  encode: MPNetModel,
  classify: MPNetForSequenceClassification,
  tag: MPNetForTokenClassification,
  maskedLM: MPNetForMaskedLM,
};

/** The models of each task, by the `model_type` of a config. */
const architectures: Readonly<
  Record<string, { readonly [T in HeadTask]: new (config: Config) => ModelFor<T> }>
> = {
  bert,
  roberta,
  "xlm-roberta": roberta,
  camembert: roberta,
  distilbert,
  mpnet,
};

/** What a class of each architecture is for. */
type HeadTask = "encode" | "classify" | "tag" | "maskedLM";

/**
 * What a model is for: hidden states; a class, classes or a number for a text or a pair; for each token; the token at a
 * place; one vector of a text.
 */
export type Task = HeadTask | "embed";

/** A model of whatever kind its folder is: types of paths do not know its fields, so that any path goes. */
type OfAnyKind<R> = PretrainedModel<R> & { readonly [ofAnyClass]?: never };

/** A model that has classes. */
export type Classifier = OfAnyKind<Tensor> & { readonly labels: readonly string[] };

/** A model that makes one vector of a text. */
export type Embedder = EmbeddingModel & { readonly [ofAnyClass]?: never };

/** A model for a task. */
export type ModelFor<T extends Task> = {
  encode: OfAnyKind<EncoderOutput>;
  classify: Classifier;
  tag: Classifier;
  maskedLM: OfAnyKind<Tensor>;
  embed: Embedder;
}[T];

/** Options of `autoModel`. */
export interface AutoModelOptions<T extends Task> {
  /** What the model is for; "encode" unless given. */
  readonly task?: T;
  /** The names of classes of "classify" and "tag"; those of the config unless given. */
  readonly labels?: readonly string[];
}

/**
 * A model with the weights of a folder of Hugging Face's, in eval mode.
 *
 * Takes the path of a folder with `config.json` and safetensors, and which `task` the model is for: "encode" (hidden
 * states), "classify" (a text or a pair), "tag" (each token), "maskedLM", or "embed" (one vector a text: as a folder of
 * sentence-transformers says, or else the mean of tokens). With other `labels` than the folder's, or where the folder has
 * no head for the task, the head is drawn.
 * Throws `ConfigError` for a folder without a config, of a kind that is not there, or that asks for what is not;
 * `StateDictError`, `SafetensorsError` and `FileError` as `loadPretrained`; `ArgumentError` for options that cannot be.
 * Source: `AutoModel` and its like of transformers.
 */
export async function autoModel<T extends Task = "encode">(
  folder: string,
  { task = "encode" as T, labels }: AutoModelOptions<T> = {},
): Promise<ModelFor<T>> {
  if (task === "embed") {
    refuseLabels(task, labels);
    return (await openEmbeddingModel(folder, (encoder) => autoModel(encoder))) as unknown as ModelFor<T>;
  }
  const model: PretrainedModel = modelOf(readConfig(folder), task as HeadTask, labels, folder);
  loadPretrained(model, folder);
  model.eval();
  return model as ModelFor<T>;
}

/** A model of a config, with weights that are drawn. Arguments and errors are those of `autoModel`. */
function modelOf<T extends HeadTask>(
  config: Config,
  task: T,
  labels?: readonly string[],
  name = "The config",
): ModelFor<T> {
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
  if (task !== "classify" && task !== "tag") refuseLabels(task, labels);
  return new tasks[task](labels === undefined ? config : withLabels(config, labels));
}

function refuseLabels(task: Task, labels: readonly string[] | undefined): void {
  if (labels !== undefined)
    throw new ArgumentError(`labels: a model for "${task}" has none; they are for "classify" and "tag"`);
}
