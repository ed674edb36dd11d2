import { ArgumentError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { MeasuredBy } from "../auto-model.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { TextModel } from "../text-model.ts";
import { BestWeights } from "./best-weights.ts";
import { Entry } from "./entry.ts";
import { type FitOptions, fitSettings } from "./fit-options.ts";
import type { FitResult } from "./fit-result.ts";
import { kindOf } from "./objectives/kind-of.ts";
import type { ObjectiveSettings } from "./objectives/objective.ts";
import { objectiveOf } from "./objectives/objective-of.ts";
import { refuseOptionsOfOtherKinds } from "./objectives/options-of-kinds.ts";
import { Phases } from "./phases/phases.ts";
import { Run } from "./run.ts";
import { runLength } from "./run-length.ts";
import { textBatches } from "./text-batches.ts";

/**
 * Tunes a model for texts, pairs of texts or lists of words, to give what its task is to give: with AdamW, in batches of a
 * new random order each epoch, at rates that rise and then fall, and measured after each epoch. What `trains` does not name
 * stays as it is, bit for bit.
 *
 * Takes a model of `autoModel` that has a head, and options; gives the metrics, epoch by epoch too, and a report. The same
 * model, texts, options and seed give the same bits. The model's modes, and where the shared random numbers stand, are
 * afterwards as they were before; what else draws from those meanwhile, as a second `fit` in this thread, changes what both
 * draw. Options and labels are checked before the first update.
 * Throws `ArgumentError` for options that cannot be and for data of another kind than the model's task; `DataError` for data
 * without texts, with one label only, or with a label that the model has not; `SelectorError` for selectors that name
 * nothing; `NonFiniteError`, with the weights of before the update, where the loss or a gradient is no number.
 * Source: `Trainer` of transformers, with its schedule "linear" and its decay.
 */
export async function fit<M extends Metrics = Metrics>(
  model: TextModel<Tensor> & MeasuredBy<M>,
  options: FitOptions,
): Promise<FitResult<M>> {
  return (await preparedFit(model, options).toTheEnd()) as FitResult<M>;
}

/** What `fit` does, checked and made ready. Arguments and errors are those of `fit`. */
export function preparedFit(model: TextModel<Tensor>, options: FitOptions): Run {
  const kind = kindOf("fit", model);
  const settings = fitSettings(options);
  refuseOptionsOfOtherKinds("fit", kind, options);
  const { best: criterion } = settings;
  const batches = textBatches("fit", model, options.maxLength);
  const entry = new Entry(model, batches);
  const objective = objectiveOf({
    ...settings,
    model: model as ObjectiveSettings["model"],
    train: options.train,
    eval: options.eval,
    classWeights: options.classWeights,
    embeddings: options.embeddings,
    ranks: options.group?.size ?? 1,
    batches,
    entry,
  });
  if (criterion !== null && !Object.hasOwn(objective.criteria, criterion))
    throw new ArgumentError(
      `fit: best is ${JSON.stringify(criterion)}; it must be ${Object.keys(objective.criteria).join(", ")}`,
    );
  const length = runLength(objective, settings);
  const phases = new Phases(model, { trains: settings.trains, lr: options.lr }, length);
  const best = criterion === null ? null : new BestWeights(phases.trained, objective.criteria[criterion]!);
  return new Run({ model, objective, entry, settings, options, length, phases, best });
}
