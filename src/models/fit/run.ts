import { GroupError } from "../../base/errors.ts";
import { HeldWeights } from "../../checkpoint/held-weights.ts";
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
import type { ObjectiveBatch } from "./objectives/objective.ts";
import { CurrentPhase } from "./phases/current-phase.ts";
import type { PhaseSpan } from "./phases/phases.ts";
import { prefixText } from "./prefix/prefix-record.ts";
import { progressOf } from "./progress-line.ts";
import { groupsOfRates, warmUpAndDecay } from "./rates.ts";
import { RunFolder } from "./run-folder.ts";
import { identityOf, requireSame, weightsOfFolder } from "./run-identity.ts";
import { parametersOf } from "./run-parameters.ts";
import type { RunParts } from "./run-parts.ts";
import { planOf, type RunPlan } from "./run-plan.ts";
import { RunState } from "./run-state.ts";

/** One training, from its first update or from a checkpoint to its end. */
export class Run {
  readonly #parts: RunParts;
  readonly #lengths: readonly number[] | null;
  readonly #factor: (step: number) => number;
  readonly #schedule: LambdaLR;
  readonly #step: TrainStep<[scale: Tensor, phase: string, ...inputs: Tensor[]], Tensor>;
  readonly #ema: EMA | null;
  /** Several ranks that train together; null: this one alone. */
  readonly #group: Group | null;
  readonly #state = new RunState();
  readonly #phase: CurrentPhase;
  /** The phase that is planned, while one is. */
  #planned: PhaseSpan | null = null;
  #folder: RunFolder | null = null;
  /** What the model has from its own folder, which checkpoints need not have as long as it stays so. */
  #held: HeldWeights | null = null;
  #progress: Progress | null = null;

  constructor(parts: RunParts) {
    const { model, objective, settings, options, phases, length } = parts;
    const { accumulate, warmup, weightDecay, clipNorm } = settings;
    this.#parts = parts;
    this.#group = options.group !== undefined && options.group.size > 1 ? options.group : null;
    this.#lengths = settings.bucket
      ? Array.from({ length: objective.length }, (_, i) => objective.lengthOf(i))
      : null;
    this.#factor = warmUpAndDecay(length.steps, warmup);
    const module: Module = model;
    const groups = groupsOfRates(phases.rates, phases.trained, weightDecay);
    const optimizer = new AdamW(groups.map(({ rate: _, ...group }) => group));
    this.#schedule = new LambdaLR(optimizer, {
      lambda: groups.map(
        ({ rate }) =>
          (step: number) =>
            this.#rateAt(rate, step),
      ),
    });
    this.#ema = settings.ema === null ? null : new EMA(module, { decay: settings.ema });
    this.#step = trainStep(optimizer, {
      module,
      loss: (scale: Tensor, _: string, ...inputs: Tensor[]) => objective.loss(...inputs).mul(scale),
      trains: () => (this.#planned ?? this.#phase.span).trains,
      finite: true,
      accumulate,
      ...(clipNorm === null ? {} : { clipNorm }),
      ...(this.#ema === null ? {} : { ema: this.#ema }),
      ...(this.#group === null ? {} : { group: this.#group }),
    });
    this.#phase = new CurrentPhase({
      ...parts,
      folder: options.out ?? null,
      isShared: this.#group !== null,
      explain:
        this.#group === null
          ? (...inputs) => this.#step.explain(tensor(1), this.#phase.span.label, ...inputs)
          : null,
    });
  }

  /** One of the rates, as it is for an update, counted from 0. */
  #rateAt(rate: number, step: number): number {
    return this.#parts.phases.rateAt(rate, step) * this.#factor(step);
  }

  /** What it will do and what that takes, as far as that is known before. Nothing changes. */
  async plan(): Promise<RunPlan> {
    const { phases } = this.#parts;
    const span = phases.spanOf(phases.next({ step: 1, epoch: 1, metrics: null }, []));
    this.#planned = span;
    try {
      return await planOf(this.#parts, (...inputs) => this.#step.explain(tensor(1), span.label, ...inputs));
    } finally {
      this.#planned = null;
    }
  }

  /** Trains, and gives what has come of it. */
  async toTheEnd(): Promise<FitResult> {
    const { options, best, phases } = this.#parts;
    options.signal?.throwIfAborted();
    const random = getRandomState();
    this.#folder = options.out === undefined ? null : await RunFolder.open(options.out, this.#group);
    try {
      await this.#fromStartToEnd();
    } finally {
      this.#phase.leave();
      this.#folder?.close();
      setRandomState(random);
    }
    const { history, before, epoch, phases: come } = this.#state;
    return new FitResult(history, before, best?.epoch ?? epoch, phases.rates, () => this.#step.report(), {
      phases: come,
      prefixes: this.#phase.prefixes,
    });
  }

  async #fromStartToEnd(): Promise<void> {
    const { model, objective, settings, best, length } = this.#parts;
    const state = this.#state;
    // Ranks see other texts, and draw other numbers for them.
    manualSeed(settings.seed + (this.#group?.rank ?? 0) * 2 ** 32);
    await this.#begin();
    try {
      await inMode(model, true, async () => {
        if (objective.measuresBefore && state.step === 0) await this.#measureBefore();
        await this.#goOn();
        // One that ended in an epoch has that to measure still.
        while (state.update > 0 || (!state.stopped && state.step < length.steps)) await this.#epoch();
      });
    } finally {
      this.#progress?.end();
    }
    if (best !== null) best.restore(model);
    else this.#putAverages();
    await this.#folder?.finish(model);
  }

  /** Enters the phase that a checkpoint was in. */
  async #goOn(): Promise<void> {
    const last = this.#state.phases.at(-1);
    if (last !== undefined) await this.#phase.enter(this.#parts.phases.spanOf(last));
  }

  /** Enters the phase of the update that comes, where that is another one. */
  async #enterNext(): Promise<void> {
    const { phases } = this.#parts;
    const state = this.#state;
    const moment = {
      step: state.step + 1,
      epoch: state.epoch + 1,
      metrics: state.history.at(-1)?.metrics ?? null,
    };
    const next = phases.next(moment, state.phases);
    if (next === state.phases.at(-1)) return;
    const span = phases.spanOf(next);
    state.phases.push(next);
    await this.#phase.enter(span);
  }

  #beginProgress(): Progress | null {
    const { phases, length, options } = this.#parts;
    if (options.progress === false) return null;
    return progressOf(length.steps, this.#state.step, phases.rates, this.#phase.prefixes.map(prefixText));
  }

  /** Begins anew in its folder, where it has one, or goes on from the last checkpoint there. */
  async #begin(): Promise<void> {
    const { model, settings, options } = this.#parts;
    if (this.#folder === null && this.#group === null) return;
    const identity = identityOf(model, settings, options);
    if (this.#group !== null) await requireSame(this.#group, identity);
    if (this.#folder === null) return;
    this.#held = new HeldWeights(weightsOfFolder(model));
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
      ...(this.#held === null ? {} : { base: this.#held }),
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
    const { model, phases } = this.#parts;
    if (this.#ema === null) return;
    const averages = this.#ema.use(
      () => new Map([...phases.trained].map(([path, p]) => [path, copyOfBits(p, "fit")])),
    );
    (model as Module).loadStateDict(averages, { strict: false });
  }

  /** Makes the updates that are left of an epoch, and measures. */
  async #epoch(): Promise<void> {
    const { settings, objective, options, best, phases, length } = this.#parts;
    const { batch, seed, accumulate, patience, saveEvery } = settings;
    const state = this.#state;
    const lengths = this.#lengths;
    const { epoch } = state;
    const batches = objective.deal?.(epoch) ?? dealt(objective.length, { batch, seed, epoch, lengths });
    const updates = chunks(batches, accumulate);
    const stop = (): void => {
      state.stopped = true;
    };
    while (state.update < updates.length && state.step < length.steps && !state.stopped) {
      await this.#enterNext();
      this.#phase.check();
      this.#progress ??= this.#beginProgress();
      const lr = phases.rates.map((_, i) => this.#rateAt(i, state.step));
      const loss = await this.#update(updates[state.update]!);
      const [step, epoch] = [state.step, state.epoch + 1];
      this.#log({ step, epoch, loss, lr });
      this.#progress?.step({ loss });
      await options.onStep?.({ step, steps: length.steps, epoch, loss, lr, stop });
      const [aborted = 0] = await this.#summed(options.signal?.aborted ? 1 : 0);
      if (aborted > 0) this.#abort();
      const isLast = state.update === updates.length || step === length.steps || state.stopped;
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
    const parts: ObjectiveBatch[] = [];
    for (const indices of batches) {
      const own = indices.filter((_, i) => i % size === rank);
      // A rank that there is no example for takes one that does not count.
      const made = await objective.batch(own.length > 0 ? own : indices.slice(0, 1), state.epoch);
      parts.push(own.length > 0 ? made : { ...made, weight: 0 });
    }
    const [total = 0] = await this.#summed(parts.reduce((sum, { weight }) => sum + weight, 0));
    let own = 0;
    for (const { inputs, weight } of parts) {
      const scale = weight === 0 ? 0 : (parts.length * size) / total;
      own += await this.#step(tensor(scale), this.#phase.span.label, ...inputs);
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
    this.#phase.check();
    const metrics = await this.#withAverages(objective.evaluate);
    // Ranks on other machines may have other last digits, and are to take the same epoch for the best.
    return this.#group === null ? metrics : this.#group.broadcast(metrics);
  }
}
