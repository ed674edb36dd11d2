import { listAdapters } from "../adapters/switch-adapters.ts";
import { AdapterError, ArgumentError, FreezeError } from "../base/errors.ts";
import { flag, refuseOptions } from "../base/options.ts";
import { refuseChangeWhileRecording } from "../engine/trace.ts";
import type { Embedding } from "../nn/embedding.ts";
import type { Linear } from "../nn/linear.ts";
import type { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import { zeros } from "../tensor/create.ts";
import { cat } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import { normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ConfigReader } from "./config.ts";
import type { TextModel } from "./text-model.ts";

/** Options of `resizeTokenEmbeddings`. */
export interface ResizeOptions {
  /** The table gets a multiple of so many rows; as many as asked for unless given. */
  readonly padToMultipleOf?: number;
  /**
   * Whether new rows are drawn around the mean of the old ones; true. With false they are drawn as those of a new model,
   * around 0 with the config's `initializer_range`.
   */
  readonly meanResizing?: boolean;
}

/** How much of the variance of the old rows new ones have: transformers' choice, which puts them close to the mean. */
const varianceOfOld = 1e-9;

/** Rows that are drawn at once: each takes a number for every old row. */
const drawnAtOnce = 64;

/** Where an encoder has its table of tokens. */
const tablePath: string = "embeddings.word_embeddings";

/** Gives a model's table of tokens, and all that has a row for each token, another number of rows. */
export function resizeTokenEmbeddings(model: TextModel, tokens: number, options: ResizeOptions): void {
  refuseOptions("resizeTokenEmbeddings", options, { padToMultipleOf: null, meanResizing: flag });
  const { padToMultipleOf = 1, meanResizing = true } = options;
  refuseChangeWhileRecording("resizeTokenEmbeddings");
  for (const [name, value] of Object.entries({ tokens, padToMultipleOf }))
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 31)
      throw new ArgumentError(
        `resizeTokenEmbeddings: ${name} is ${value}; it must be a whole number of at least 1`,
      );
  const count = Math.ceil(tokens / padToMultipleOf) * padToMultipleOf;
  const { names } = listAdapters(model);
  if (names.length > 0)
    throw new AdapterError(
      `resizeTokenEmbeddings: the model has the adapter ${JSON.stringify(names[0])}, which is made for its table; resize the model first, or take the adapter off with deleteAdapter`,
    );
  const encoder = encoderOf(model);
  const table = encoder.getSubmodule(tablePath) as Embedding;
  const { paddingIdx } = table;
  if (paddingIdx !== null && paddingIdx >= count)
    throw new ArgumentError(
      `resizeTokenEmbeddings: tokens is ${count}, and padding is the token ${paddingIdx}; keep at least ${paddingIdx + 1}`,
    );
  const places = placesOfRows(model, encoder);
  for (const [path, { parameter }] of places)
    if (parameter.frozen || parameter.frozenRegion !== null)
      throw new FreezeError(
        `resizeTokenEmbeddings: ${path} is frozen, and would be another parameter; resize first, or unfreeze it`,
      );
  const std = new ConfigReader(encoder.config).number("initializer_range", 0.02, [0, 1e3]);
  const head = headOf(model);
  const isTied = head?.weight === table.weight;
  const resized = new Map<Parameter, Parameter>();
  noGrad(() => {
    for (const { parameter, owner, field } of places.values()) {
      // A tied weight stays one parameter.
      const made =
        resized.get(parameter) ??
        resizedRows(parameter, count, {
          // Biases of a tied head begin at 0, as in transformers.
          aroundMean: meanResizing && !(isTied && parameter.shape.length === 1),
          std,
        });
      resized.set(parameter, made);
      Reflect.set(owner, field, made);
    }
  });
  Object.assign(table, { numEmbeddings: count });
  if (head !== null) Object.assign(head, { outFeatures: count });
  for (const [, part] of model.namedModules())
    if ("config" in part) {
      const { config } = part as TextModel;
      Object.assign(part, { config: { ...config, vocab_size: count } });
    }
}

/** A parameter that has a row, or a number, for each token, and the field that it is in. */
interface Place {
  readonly parameter: Parameter;
  readonly owner: Module;
  readonly field: string;
}

const encoderOf = (model: TextModel): TextModel =>
  model.baseName === null ? model : (model.getSubmodule(model.baseName) as TextModel);

/** The layer that gives a number for each token; null where the model has none. */
const headOf = (model: TextModel): Linear | null =>
  model.outputEmbeddings === null ? null : (model.getSubmodule(model.outputEmbeddings) as Linear);

/** All parameters with a row, or a number, for each token, by path: the table, and those of a head that finds tokens. */
function placesOfRows(model: TextModel, encoder: TextModel): Map<string, Place> {
  const places = new Map<string, Place>();
  const add = (path: string, owner: Module, field: string): void => {
    const parameter: unknown = Reflect.get(owner, field);
    if (parameter instanceof Parameter) places.set(`${path}.${field}`, { parameter, owner, field });
  };
  add(tablePath, encoder.getSubmodule(tablePath), "weight");
  const { outputEmbeddings: layer } = model;
  if (layer === null) return places;
  for (const field of ["weight", "bias"]) add(layer, model.getSubmodule(layer), field);
  // Files have the bias of a decoder beside it too.
  const above = layer.slice(0, Math.max(0, layer.lastIndexOf(".")));
  if (above !== "") add(above, model.getSubmodule(above), "bias");
  return places;
}

/** A parameter with the first rows of another, and new ones behind them. */
function resizedRows(
  old: Parameter,
  count: number,
  { aroundMean, std }: { aroundMean: boolean; std: number },
): Parameter {
  const { requiresGrad, dtype } = old;
  const before = old.shape[0]!;
  const added = count - before;
  const kept = old.detach().narrow(0, 0, Math.min(before, count));
  if (added <= 0) return new Parameter(kept, { requiresGrad });
  const isBias = old.shape.length === 1;
  const drawn = aroundMean
    ? isBias
      ? biasesLike(kept.to("f32"), added)
      : rowsLike(kept.to("f32"), added)
    : isBias
      ? zeros([added])
      : normal([added, old.shape[1]!], 0, std);
  return new Parameter(cat([kept, drawn.to(dtype)], 0), { requiresGrad });
}

/**
 * Rows with the mean of the old ones, and a small part of their covariance: each is the mean and a random mixture of what
 * old rows differ from it by. That needs no inverse, so that fewer old rows than columns will do.
 */
function rowsLike(rows: Tensor, added: number): Tensor {
  const count = rows.shape[0]!;
  const mean = rows.mean(0);
  const centered = rows.sub(mean);
  const drawn: Tensor[] = [];
  for (let from = 0; from < added; from += drawnAtOnce) {
    const weights = normal([Math.min(drawnAtOnce, added - from), count], 0, Math.sqrt(varianceOfOld / count));
    drawn.push(weights.matmul(centered).add(mean));
  }
  return drawn.length === 1 ? drawn[0]! : cat(drawn, 0);
}

/** Biases around the mean of the old ones. */
function biasesLike(biases: Tensor, added: number): Tensor {
  const deviation = biases.shape[0]! > 1 ? biases.std() : zeros([]);
  return normal([added], 0, varianceOfOld).mul(deviation).add(biases.mean());
}
