import { ArgumentError } from "../../../base/errors.ts";
import { refuseOptions } from "../../../base/options.ts";
import type { TextModel } from "../../text-model.ts";
import type { Rates } from "../rates.ts";
import type { Phase } from "./phase.ts";

/** Options of `linearProbeThenFinetune`. */
export interface LinearProbeOptions {
  /** How many epochs the head is trained alone; 1. */
  readonly probeEpochs?: number;
  /** Rates while all is trained; those of the option `lr` of `fit` unless given. */
  readonly lr?: Rates;
}

/**
 * Phases that train the head alone at first, and then all: what the encoder knows is not lost to gradients of a head that
 * knows nothing yet.
 *
 * Takes a model of `autoModel` that has a head, and options; gives phases for the option `trains` of `fit`.
 * Throws `ArgumentError` for a model without a head and for options that cannot be.
 * Source: Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", 2022 (LP-FT).
 */
export function linearProbeThenFinetune(model: TextModel, options: LinearProbeOptions = {}): Phase[] {
  refuseOptions("linearProbeThenFinetune", options, { probeEpochs: null, lr: null });
  const { probeEpochs = 1, lr } = options;
  if (!Number.isSafeInteger(probeEpochs) || probeEpochs < 1)
    throw new ArgumentError(
      `linearProbeThenFinetune: probeEpochs is ${probeEpochs}; it must be a whole number of at least 1`,
    );
  const own = new Set(model.namedParameters().map(([path]) => path));
  // A tied table is the encoder's.
  const head = model.headPaths().filter((path) => own.has(path));
  if (head.length === 0)
    throw new ArgumentError(
      `linearProbeThenFinetune: ${model.architecture} has no head to train alone; make the model for a task`,
    );
  return [
    { from: { epoch: 1 }, trains: head },
    { from: { epoch: probeEpochs + 1 }, trains: "**", ...(lr === undefined ? {} : { lr }) },
  ];
}
