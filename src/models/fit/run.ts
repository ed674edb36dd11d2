import { GroupError } from "../../base/errors.ts";
import type { SaveOptions } from "../../checkpoint/save-options.ts";
import type { Group } from "../../distributed/group.ts";
import { copyOfBits } from "../../nn/bits.ts";
import type { Module } from "../../nn/module.ts";
import { AdamW } from "../../optim/adam.ts";
import { EMA } from "../../optim/ema.ts";
import { LambdaLR } from "../../optim/lr-scheduler/lambda.ts";
import { tensor } from "../../tensor/create.ts";
import { getRandomState, manualSeed, setRandomState } from "../../tensor/draws.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Progress } from "../../train/progress.ts";
import type { TrainStep } from "../../train/step-types.ts";
import { trainStep } from "../../train/train-step.ts";
import { chunks, dealt } from "./deal.ts";
import { FitResult } from "./fit-result.ts";
import { inMode } from "./in-mode.ts";
import { progressOf } from "./progress-line.ts";
import { groupsOfRates, warmUpAndDecay } from "./rates.ts";
import { RunFolder } from "./run-folder.ts";
import { identityOf } from "./run-identity.ts";
import { parametersOf } from "./run-parameters.ts";
import type { RunParts } from "./run-parts.ts";
import { planOf, type RunPlan } from "./run-plan.ts";
import { RunState } from "./run-state.ts";

/** One training, from its first update or from a checkpoint to its end. */
export class Run {
  readonly #parts: RunParts;
  readonly #steps: number;
  readonly #lengths: readonly number[] | null;
  readonly #factor: (step: number) => number;
  readonly #schedule: LambdaLR;
  readonly #step: TrainStep<Tensor[], Tensor>;
  readonly #ema: EMA | null;
  /** Several ranks that train together; null: this one alone. */
  readonly #group: Group | null;
  readonly #state = new RunState();
  #folder: RunFolder | null = null;

  constructor(parts: RunParts) {
    const { model, objective, settings, options, trained, rates } = parts;
    const { batch, accumulate, epochs, warmup, weightDecay, clipNorm } = settings;
    this.#parts = parts;
    this.#group = options.group !== undefined && options.group.size > 1 ? options.group : null;
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
      ...(this.#group === null ? {} : { group: this.#group }),
    });
  }

  /** What it will do and what that takes, as far as that is known before. Nothing changes. */
  plan(): Promise<RunPlan> {
    const explain = (...inputs: readonly Tensor[]) => this.#step.explain(tensor(1), ...inputs);
    return planOf(this.#parts, this.#steps, explain);
  }

  /** Trains, and gives what has come of it. */
  async toTheEnd(): Promise<FitResult> {
    const { options, best, rates } = this.#parts;
    options.signal?.throwIfAborted();
    const random = getRandomState();
    this.#folder = options.out === undefined ? null : await RunFolder.open(options.out, this.#group);
    try {
      await this.#fromStartToEnd();
    } finally {
      this.#folder?.close();
      setRandomState(random);
    }
    const { history, before, epoch } = this.#state;
    return new FitResult(history, before, best?.epoch ?? epoch, rates, () => this.#step.report());
  }

  async #fromStartToEnd(): Promise<void> {
    const { model, objective, settings, options, best, rates } = this.#parts;
    const state = this.#state;
    // Ranks see other texts, and draw other numbers for them.
    manualSeed(settings.seed + (this.#group?.rank ?? 0) * 2 ** 32);
    await this.#begin();
    const progress =
      options.progress === false || state.step >= this.#steps
        ? null
        : progressOf(this.#steps, state.step, rates);
    try {
      await inMode(model, true, async () => {
        if (objective.measuresBefore && state.step === 0) await this.#measureBefore();
        // One that ended in an epoch has that to measure still.
        while (state.update > 0 || (!state.stopped && state.step < this.#steps)) await this.#epoch(progress);
      });
    } finally {
      progress?.end();
    }
    if (best !== null) best.restore(model);
    else this.#putAverages();
    await this.#folder?.finish(model);
  }

  /** Begins anew in its folder, where it has one, or goes on from the last checkpoint there. */
  async #begin(): Promise<void> {
    const { model, settings, options } = this.#parts;
    if (this.#folder === null) return;
    const identity = identityOf(model, settings, options);
    if (!this.#folder.hasBegun(identity, options.resume === true)) return this.#folder.begin(identity);
    this.#folder.load(this.#saved());
    this.#folder.cut("metrics", this.#state.lines);
    this.#folder.cut("parameters", this.#state.history.length);
  }

  /** All that a checkpoint has. */
  #saved(): SaveOptions {
    const { model, best } = this.#parts;
    return {
      module: model,
      optimizer: this.#step.optimizer as AdamW,
      schedule: this.#schedule,
      step: this.#step,
      progress: this.#state,
      ...(this.#ema === null ? {} : { ema: this.#ema }),
      ...(best === null ? {} : { best }),
    };
  }

  #save(): void {
    this.#folder?.save(this.#state.step, this.#saved());
  }

  #log(line: object): void {
    this.#state.lines++;
    this.#folder?.log("metrics", line);
  }

  async #measureBefore(): Promise<void> {
    const before = await this.#measured();
    this.#state.before = before;
    if (before !== null) this.#log({ step: 0, epoch: 0, before });
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
  async #epoch(progress: Progress | null): Promise<void> {
    const { settings, objective, options, best } = this.#parts;
    const { batch, seed, accumulate, patience, saveEvery } = settings;
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
      const loss = await this.#update(updates[state.update]!);
      const [step, epoch] = [state.step, state.epoch + 1];
      this.#log({ step, epoch, loss, lr });
      progress?.step({ loss });
      await options.onStep?.({ step, steps: this.#steps, epoch, loss, lr, stop });
      const [aborted = 0] = await this.#summed(options.signal?.aborted ? 1 : 0);
      if (aborted > 0) this.#abort();
      const isLast = state.update === updates.length || step === this.#steps || state.stopped;
      // What is saved at the end of an epoch is saved once that is measured.
      if (saveEvery !== null && step % saveEvery === 0 && !isLast) this.#save();
    }
    const record = state.ended(await this.#measured());
    this.#log(record);
    this.#folder?.log("parameters", parametersOf(record, this.#step.report()));
    if (best !== null) {
      this.#withAverages(() => best.note(record.epoch, this.#criterion(record.metrics)));
      if (patience !== null && record.epoch - best.epoch >= patience) stop();
    }
    await options.onEpoch?.({ ...record, stop });
    this.#save();
  }

  #criterion(metrics: object | null): number {
    return (metrics as Record<string, number>)[this.#parts.settings.best!]!;
  }

  /** Makes one update of some batches, in which each label counts the same whatever batch and rank it is on. */
  async #update(batches: readonly (readonly number[])[]): Promise<number> {
    const { objective, settings } = this.#parts;
    const { rank, size } = this.#group ?? { rank: 0, size: 1 };
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
    const [loss = 0] = await this.#summed(own / (parts.length * size));
    state.updated(loss, total);
    return loss;
  }

  /** Sums over all ranks. */
  async #summed(...values: readonly number[]): Promise<readonly number[]> {
    return this.#group === null ? values : Array.from(await this.#group.sum(Float64Array.from(values)));
  }

  /** Ends as a signal asks, with a checkpoint to go on from. */
  #abort(): never {
    this.#save();
    this.#parts.options.signal?.throwIfAborted();
    throw new GroupError("fit: the signal of another rank has ended the training");
  }

  /** Does something with the averages in the place of the weights, where there are averages. */
  #withAverages<T>(work: () => T): T {
    return this.#ema === null ? work() : this.#ema.use(work);
  }

  async #measured() {
    const { objective } = this.#parts;
    if (objective.evaluate === null) return null;
    const metrics = await this.#withAverages(objective.evaluate);
    // Ranks on other machines may have other last digits, and are to take the same epoch for the best.
    return this.#group === null ? metrics : this.#group.broadcast(metrics);
  }
}
