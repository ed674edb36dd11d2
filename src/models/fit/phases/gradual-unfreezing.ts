import { ArgumentError } from "../../../base/errors.ts";
import { refuseOptions } from "../../../base/options.ts";
import type { TextModel } from "../../text-model.ts";
import type { Phase } from "./phase.ts";

/** Options of `gradualUnfreezing`. */
export interface GradualUnfreezingOptions {
  /** How many layers more are trained from each epoch on; 1. */
  readonly perEpoch?: number;
  /** The rate of the head, and of all else that comes above the layers; 1e-3. */
  readonly headLr?: number;
  /** The rate of the top layer; 2e-5. */
  readonly lr?: number;
  /** How many times smaller the rate of each layer is than that of the layer above; 2.6. */
  readonly decay?: number;
}

/**
 * Phases that train the head in the first epoch, and from each epoch on some layers more, from the top down to the
 * embeddings, the lower the slower. The last begins in epoch 1 + (layers + 1) / perEpoch, rounded up; those that a training
 * is too short for are to be left out, with `epochs`.
 *
 * Takes a model of `autoModel` and options; gives phases for the option `trains` of `fit`.
 * Throws `ArgumentError` for options that cannot be.
 * Source: Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018 (gradual unfreezing and
 * discriminative rates).
 */
export function gradualUnfreezing(model: TextModel, options: GradualUnfreezingOptions = {}): Phase[] {
  refuseOptions("gradualUnfreezing", options, { perEpoch: null, headLr: null, lr: null, decay: null });
  const { perEpoch = 1, headLr = 1e-3, lr = 2e-5, decay = 2.6 } = options;
  if (!Number.isSafeInteger(perEpoch) || perEpoch < 1)
    throw new ArgumentError(
      `gradualUnfreezing: perEpoch is ${perEpoch}; it must be a whole number of at least 1`,
    );
  for (const [name, value] of Object.entries({ headLr, lr, decay }))
    if (!(value > 0 && value < Infinity))
      throw new ArgumentError(`gradualUnfreezing: ${name} is ${value}; it must be a number above 0`);
  const layers = encoderStages(model).reverse();
  const below = layers.flat();
  const head = ["**", ...below.map((selector) => `!${selector}`)];
  const rates = Object.fromEntries([
    ...layers.flatMap((selectors, k) => selectors.map((selector) => [selector, lr / decay ** k] as const)),
    ["**", headLr] as const,
  ]);
  const phases: Phase[] = [];
  for (let count = hasParameters(model, head) ? 0 : perEpoch; ; count += perEpoch) {
    const frozen = layers.slice(count).flat();
    phases.push({
      from: { epoch: phases.length + 1 },
      trains: ["**", ...frozen.map((selector) => `!${selector}`)],
      lr: rates,
    });
    if (frozen.length === 0) return phases;
  }
}

/** Selectors of the embeddings and of each layer, the lowest first. */
function encoderStages(model: TextModel): string[][] {
  const { baseName } = model;
  const prefix = baseName === null ? "" : `${baseName}.`;
  const base = baseName === null ? model : (model as unknown as Record<string, TextModel>)[baseName]!;
  return base.stages().map(({ paths }) => paths.map((path) => `${prefix}${path}.**`));
}

/** Whether anything that can be trained is left of what selectors name. */
function hasParameters(model: TextModel, [, ...excluded]: readonly string[]): boolean {
  const prefixes = excluded.map((selector) => selector.slice(1, -"**".length));
  return model
    .namedParameters()
    .some(([path, { requiresGrad }]) => requiresGrad && !prefixes.some((prefix) => path.startsWith(prefix)));
}
