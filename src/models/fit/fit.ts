import { ArgumentError } from "../../base/errors.ts";
import { permutation } from "../../data/shuffle.ts";
import { select } from "../../freeze/select.ts";
import { crossEntropy } from "../../nn/losses/cross-entropy.ts";
import type { Module } from "../../nn/module.ts";
import { AdamW } from "../../optim/adam.ts";
import { LambdaLR } from "../../optim/lr-scheduler/lambda.ts";
import { tensor } from "../../tensor/create.ts";
import { getRandomState, manualSeed, setRandomState } from "../../tensor/draws.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { trainStep } from "../../train/train-step.ts";
import type { Classifier } from "../auto-model.ts";
import { classMetrics } from "../metrics/class-metrics.ts";
import { BestWeights } from "./best-weights.ts";
import { requireClassifier } from "./classifier.ts";
import { type FitOptions, fitSettings } from "./fit-options.ts";
import { type EpochRecord, FitResult } from "./fit-result.ts";
import { inMode } from "./in-mode.ts";
import { classWeightTensor, labelledTexts, requireTwoLabels } from "./labelled-texts.ts";
import { logitsOf } from "./logits-of.ts";
import { groupsOfRates, ratesOf, warmUpAndDecay } from "./rates.ts";
import { textBatches } from "./text-batches.ts";

/**
 * Tunes a model to give texts, or pairs of texts, their labels: with AdamW, in batches of a new random order each epoch, at
 * rates that rise and then fall, and measured after each epoch. What `trains` does not name stays as it is, bit for bit.
 *
 * Takes a model of `autoModel(folder, { task: "classify", labels })`, and options; gives the metrics, epoch by epoch too, and
 * a report. The same model, texts, options and seed give the same bits. The model's modes, and where the shared random
 * numbers stand, are afterwards as they were before; what else draws from those meanwhile, as a second `fit` in this thread,
 * changes what both draw. Options and labels are checked before the first update.
 * Throws `ArgumentError` for options that cannot be and for data of another kind than the model's task; `DataError` for data
 * without texts, with one label only, or with a label that the model has not; `SelectorError` for selectors that name
 * nothing; `NonFiniteError`, with the weights of before the update, where the loss or a gradient is no number.
 * Source: `Trainer` of transformers, with its schedule "linear" and its decay.
 */
export async function fit(model: Classifier, options: FitOptions): Promise<FitResult> {
  requireClassifier("fit", model);
  const settings = fitSettings(options);
  const { batch, seed, best: criterion, patience, labelSmoothing } = settings;
  const { signal } = options;
  const train = labelledTexts("train", options.train, model.labels);
  requireTwoLabels(train, model.labels);
  const measured = options.eval === undefined ? null : labelledTexts("eval", options.eval, model.labels);
  const weight = classWeightTensor(options.classWeights, train, model.labels);
  const batches = textBatches("fit", model, options.tokenizer, options.maxLength);

  const module: Module = model;
  const trained = select(module, settings.trains);
  if (trained.size === 0)
    throw new ArgumentError(
      `fit: trains is ${JSON.stringify(settings.trains)}, which leaves nothing to train; name at least one parameter, as "classifier.**"`,
    );
  const rates = ratesOf(model, trained, options.lr);
  const optimizer = new AdamW(groupsOfRates(rates, trained, settings.weightDecay));
  const steps = settings.steps ?? settings.epochs * Math.ceil(train.texts.length / batch);
  const schedule = new LambdaLR(optimizer, { lambda: warmUpAndDecay(steps, settings.warmup) });
  const step = trainStep(optimizer, {
    module,
    loss: (inputIds: Tensor, attentionMask: Tensor, tokenTypeIds: Tensor, y: Tensor) =>
      crossEntropy(model.forward({ inputIds, attentionMask, tokenTypeIds }), y, { weight, labelSmoothing }),
    trains: settings.trains,
    finite: true,
    ...(settings.clipNorm === null ? {} : { clipNorm: settings.clipNorm }),
  });
  const best = criterion === null ? null : new BestWeights(criterion, trained);
  const history: EpochRecord[] = [];
  let done = 0;

  const trainEpoch = async (epoch: number): Promise<number> => {
    const order = permutation(train.texts.length, seed, epoch);
    let [sum, seen] = [0, 0];
    for (let at = 0; at < order.length && done < steps; at += batch) {
      signal?.throwIfAborted();
      const chosen = Array.from(order.subarray(at, at + batch));
      const { inputIds, attentionMask, tokenTypeIds } = batches(chosen.map((i) => train.texts[i]!));
      const y = tensor(
        chosen.map((i) => train.targets[i]!),
        { dtype: "i32" },
      );
      sum += chosen.length * (await step(inputIds, attentionMask, tokenTypeIds, y));
      seen += chosen.length;
      schedule.step();
      done++;
    }
    return sum / seen;
  };

  const random = getRandomState();
  manualSeed(seed);
  try {
    await inMode(model, true, async () => {
      for (let epoch = 1; done < steps; epoch++) {
        const trainLoss = await trainEpoch(epoch - 1);
        const logits = measured && (await logitsOf("fit", model, measured.texts, batches, batch));
        const metrics = logits && classMetrics(model.labels, measured!.targets, logits);
        history.push({ epoch, step: done, trainLoss, metrics });
        if (best === null) continue;
        best.note(epoch, metrics!);
        if (patience !== null && epoch - best.epoch >= patience) break;
      }
    });
  } finally {
    setRandomState(random);
  }
  if (best !== null && best.epoch < history.length) best.restore(module);
  return new FitResult(history, best?.epoch ?? history.length, rates, () => step.report());
}
