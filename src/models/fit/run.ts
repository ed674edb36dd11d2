import { GroupError } from "../../base/errors.ts";
import { copyOfBits } from "../../nn/bits.ts";
import type { Module } from "../../nn/module.ts";
import { AdamW } from "../../optim/adam.ts";
import { EMA } from "../../optim/ema.ts";
import { LambdaLR } from "../../optim/lr-scheduler/lambda.ts";
import { tensor } from "../../tensor/create.ts";
import { getRandomState, manualSeed, setRandomState } from "../../tensor/draws.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TrainStep } from "../../train/step-types.ts";
import { trainStep } from "../../train/train-step.ts";
import type { TextModel } from "../text-model.ts";
import type { BestWeights } from "./best-weights.ts";
import { chunks, dealt } from "./deal.ts";
import type { FitOptions, FitSettings } from "./fit-options.ts";
import { FitResult } from "./fit-result.ts";
import { inMode } from "./in-mode.ts";
import type { Objective } from "./objectives/objective.ts";
import { groupsOfRates, type Rate, warmUpAndDecay } from "./rates.ts";
import { RunState } from "./run-state.ts";

/** What a training is made of, once all of it has been checked. */
export interface RunParts {
  readonly model: TextModel;
  readonly objective: Objective;
  readonly settings: FitSettings;
  readonly options: FitOptions;
  readonly trained: ReadonlyMap<string, Parameter>;
  readonly rates: readonly Rate[];
  readonly best: BestWeights | null;
}

/** One training, from its first update or from a checkpoint to its end. */
export class Run {
  readonly #parts: RunParts;
  readonly #steps: number;
  readonly #lengths: readonly number[] | null;
  readonly #factor: (step: number) => number;
  readonly #schedule: LambdaLR;
  readonly #step: TrainStep<Tensor[], Tensor>;
  readonly #ema: EMA | null;
  readonly #state = new RunState();

  constructor(parts: RunParts) {
    const { model, objective, settings, options, trained, rates } = parts;
    const { batch, accumulate, epochs, warmup, weightDecay, clipNorm } = settings;
    this.#parts = parts;
    const updates = (epoch: number): number =>
      Math.ceil((objective.deal?.(epoch).length ?? Math.ceil(objective.length / batch)) / accumulate);
    this.#steps =
      settings.steps ?? Array.from({ length: epochs }, (_, i) => updates(i)).reduce((sum, n) => sum + n);
    this.#lengths = settings.bucket
      ? Array.from({ length: objective.length }, (_, i) => objective.lengthOf(i))
      : null;
    this.#factor = warmUpAndDecay(this.#steps, warmup);
    const module: Module = model;
    const optimizer = new AdamW(groupsOfRates(rates, trained, weightDecay));
    this.#schedule = new LambdaLR(optimizer, { lambda: this.#factor });
    this.#ema = settings.ema === null ? null : new EMA(module, { decay: settings.ema });
    this.#step = trainStep(optimizer, {
      module,
      loss: (scale: Tensor, ...inputs: Tensor[]) => objective.loss(...inputs).mul(scale),
      trains: settings.trains,
      finite: true,
      accumulate,
      ...(clipNorm === null ? {} : { clipNorm }),
      ...(this.#ema === null ? {} : { ema: this.#ema }),
      ...(options.group === undefined ? {} : { group: options.group }),
    });
  }

  /** Trains, and gives what has come of it. */
  async toTheEnd(): Promise<FitResult> {
    const { model, objective, settings, options, best, rates } = this.#parts;
    const { signal, group } = options;
    signal?.throwIfAborted();
    const random = getRandomState();
    // Ranks see other texts, and draw other numbers for them.
    manualSeed(settings.seed + (group?.rank ?? 0) * 2 ** 32);
    const state = this.#state;
    try {
      await inMode(model, true, async () => {
        if (objective.measuresBefore && state.step === 0) state.before = await this.#measured();
        while (!state.stopped && state.step < this.#steps) await this.#epoch();
      });
    } finally {
      setRandomState(random);
    }
    if (best !== null) best.restore(model);
    else this.#putAverages();
    return new FitResult(state.history, state.before, best?.epoch ?? state.epoch, rates, () =>
      this.#step.report(),
    );
  }

  /** Puts the averages in the place of what is trained, for good. */
  #putAverages(): void {
    const { model, trained } = this.#parts;
    if (this.#ema === null) return;
    const averages = this.#ema.use(
      () => new Map([...trained].map(([path, p]) => [path, copyOfBits(p, "fit")])),
    );
    (model as Module).loadStateDict(averages, { strict: false });
  }

  /** Makes the updates that are left of an epoch, and measures. */
  async #epoch(): Promise<void> {
    const { settings, objective, options, best } = this.#parts;
    const { batch, seed, accumulate, patience } = settings;
    const state = this.#state;
    const lengths = this.#lengths;
    const { epoch } = state;
    const batches = objective.deal?.(epoch) ?? dealt(objective.length, { batch, seed, epoch, lengths });
    const updates = chunks(batches, accumulate);
    const stop = (): void => {
      state.stopped = true;
    };
    while (state.update < updates.length && state.step < this.#steps && !state.stopped) {
      const lr = this.#parts.rates.map((rate) => rate.lr * this.#factor(state.step));
      const { loss, isAborted } = await this.#update(updates[state.update]!);
      await options.onStep?.({
        step: state.step,
        steps: this.#steps,
        epoch: state.epoch + 1,
        loss,
        lr,
        stop,
      });
      if (isAborted) this.#abort();
    }
    const record = state.ended(await this.#measured());
    if (best !== null) {
      this.#withAverages(() => best.note(record.epoch, this.#criterion(record.metrics)));
      if (patience !== null && record.epoch - best.epoch >= patience) stop();
    }
    await options.onEpoch?.({ ...record, stop });
  }

  #criterion(metrics: object | null): number {
    return (metrics as Record<string, number>)[this.#parts.settings.best!]!;
  }

  /** Makes one update of some batches, in which each label counts the same whatever batch and rank it is on. */
  async #update(batches: readonly (readonly number[])[]): Promise<{ loss: number; isAborted: boolean }> {
    const { objective, settings, options } = this.#parts;
    const { rank = 0, size = 1 } = options.group ?? {};
    const state = this.#state;
    const parts = batches.map((indices) => {
      const own = indices.filter((_, i) => i % size === rank);
      // A rank that there is no example for takes one that does not count.
      const made = objective.batch(own.length > 0 ? own : indices.slice(0, 1), state.epoch);
      return own.length > 0 ? made : { ...made, weight: 0 };
    });
    const [total = 0] = await this.#summed(parts.reduce((sum, { weight }) => sum + weight, 0));
    let own = 0;
    for (const { inputs, weight } of parts) {
      const scale = weight === 0 ? 0 : (parts.length * size) / total;
      own += await this.#step(tensor(scale), ...inputs);
    }
    if (parts.length < settings.accumulate) await this.#step.flush();
    this.#schedule.step();
    const [loss = 0, aborted] = await this.#summed(
      own / (parts.length * size),
      options.signal?.aborted ? 1 : 0,
    );
    state.updated(loss, total);
    return { loss, isAborted: aborted! > 0 };
  }

  /** Sums over all ranks. */
  async #summed(...values: readonly number[]): Promise<readonly number[]> {
    const { group } = this.#parts.options;
    return group === undefined ? values : Array.from(await group.sum(Float64Array.from(values)));
  }

  #abort(): never {
    this.#parts.options.signal?.throwIfAborted();
    throw new GroupError("fit: the signal of another rank has ended the training");
  }

  /** Does something with the averages in the place of the weights, where there are averages. */
  #withAverages<T>(work: () => T): T {
    return this.#ema === null ? work() : this.#ema.use(work);
  }

  async #measured() {
    const { objective, options } = this.#parts;
    if (objective.evaluate === null) return null;
    const metrics = await this.#withAverages(objective.evaluate);
    // Ranks on other machines may have other last digits, and are to take the same epoch for the best.
    return options.group === undefined ? metrics : options.group.broadcast(metrics);
  }
}
