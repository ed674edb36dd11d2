import { ArgumentError, CaptureError } from "../base/errors.ts";
import { atLeast, wholeFrom } from "../base/options.ts";
import type { StateContext } from "../base/stateful.ts";
import { commit } from "../engine/realize.ts";
import { currentTrace, refuseWhileRecording, writingAs } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import { enableGrad, noGrad } from "../tensor/autograd.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { assignFlat, dot, flattened, largest, type Member, Memory } from "./lbfgs-memory.ts";
import { type LBFGSState, readMemories, savedMemories, statesOf } from "./lbfgs-state.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { NamingOptions } from "./parameter-names.ts";
import type { GroupOptions, OptimizerParams } from "./params.ts";
import type { OptimizerStateDict } from "./saved-state.ts";
import { warnOfUnplaced } from "./steering.ts";
import { type LinePoint, strongWolfe } from "./strong-wolfe.ts";

/** Options of L-BFGS, with PyTorch's meanings and defaults. */
export interface LBFGSOptions {
  /** How much of a step is taken, or with a line search tried first; default 1. */
  lr: number;
  /** Iterations of one `step` at most; default 20. */
  maxIter: number;
  /** How often one `step` computes the loss at most, looked at after each iteration; null (the default): maxIter · 1.25. */
  maxEval: number | null;
  /** A step ends where no gradient is larger; default 1e-7. */
  toleranceGrad: number;
  /** A step ends where neither a parameter nor the loss changes by more; default 1e-9. */
  toleranceChange: number;
  /** How many of the last iterations the curvature is made of; default 100. */
  historySize: number;
  /** Whether a step is as long as the strong Wolfe conditions have it; null (the default): `lr`. */
  lineSearchFn: "strong_wolfe" | null;
}

/** Computes the loss, a scalar, and its gradients: `() => { optimizer.zeroGrad(); const l = loss(); l.backward(); return l; }`. */
export type Closure = () => Tensor;

const definition: OptimizerDefinition<LBFGSOptions> = {
  name: "LBFGS",
  defaults: {
    lr: 1,
    maxIter: 20,
    maxEval: null,
    toleranceGrad: 1e-7,
    toleranceChange: 1e-9,
    historySize: 100,
    lineSearchFn: null,
  },
  checks: {
    lr: atLeast(0),
    maxIter: wholeFrom(1),
    maxEval: (value: number | null) => (value === null ? null : wholeFrom(1)(value)),
    toleranceGrad: atLeast(0),
    toleranceChange: atLeast(0),
    historySize: wholeFrom(1),
    lineSearchFn: (value: unknown) =>
      value === null || value === "strong_wolfe" ? null : '"strong_wolfe" or null',
  },
  chain: [],
};

/**
 * L-BFGS, as `torch.optim.LBFGS`: Newton's direction, with the curvature that the last steps have shown. For small problems
 * with a loss that is the same at every call, such as a fit or a temperature: `step` calls the closure many times.
 *
 * It reads what it decides by, so that it is called outside of `capture`, and not by a `trainStep`; vectors are computed
 * in f64 by the host. If the closure throws, every parameter and the history are as before the step.
 *
 * What has no gradient or is frozen is no part of the problem: neither moves. The history is that of the parameters that
 * are trained together; where others are trained than by the step before, they begin one of their own, and what is frozen
 * keeps its share until it is trained again. (PyTorch's moves a parameter whose gradient has become null, by what the
 * history holds of it.)
 */
export class LBFGS<M extends Module | null = Module | null> extends Optimizer<LBFGSOptions, LBFGSState, M> {
  readonly #memories = new Map<Parameter, Memory>();
  #steps = 0;

  constructor(params: OptimizerParams<LBFGSOptions, M>, options: Partial<LBFGSOptions> = {}) {
    super(definition, params, options);
  }

  /** Adds the parameters, once: all of them are one problem, with one set of options. */
  override addParamGroup(group: GroupOptions<LBFGSOptions>): void {
    if (this.paramGroups.length > 0)
      throw new ArgumentError(
        "LBFGS: there can be only one group of parameters; give all of them in one list",
      );
    super.addParamGroup(group);
  }

  override get updates(): number {
    return this.#steps;
  }

  override get state(): ReadonlyMap<Parameter, LBFGSState> {
    return new Map(this.#states().map(([{ parameter }, state]) => [parameter, state]));
  }

  override parts(parameter: Parameter): { readonly region: Region | null; readonly state: LBFGSState }[] {
    return this.#states()
      .filter(([member]) => member.parameter === parameter)
      .map(([{ region }, state]) => ({ region, state }));
  }

  /** The share of each parameter in the memory that it is part of. */
  #states(): [Member, LBFGSState][] {
    return [...new Set(this.#memories.values())].flatMap((memory) =>
      statesOf(memory).filter(([{ parameter }]) => this.#memories.get(parameter) === memory),
    );
  }

  override setStatePolicy(): void {
    throw new ArgumentError(
      "LBFGS: its history is one for all parameters that are trained together, and stays as it is while they are frozen; there is no policy for that of a single one",
    );
  }

  override update(): void {
    throw new ArgumentError(
      "LBFGS: an update computes the loss many times, which a trainStep does once; call optimizer.step(() => …) with a closure in a loop of your own",
    );
  }

  /**
   * Lowers the loss that the closure computes, by up to `maxIter` iterations; gives what it was at the start, and leaves
   * the gradients of the last evaluation.
   */
  override step(closure?: Closure): Tensor {
    if (typeof closure !== "function")
      throw new ArgumentError(
        "LBFGS: step needs a closure, which it calls many times: step(() => { optimizer.zeroGrad(); const loss = …; loss.backward(); return loss; })",
      );
    if (currentTrace().recording)
      throw new CaptureError(
        "LBFGS: a step reads the loss to decide what follows; call it outside of capture",
      );
    warnOfUnplaced(this.paramGroups);
    const first = this.#evaluate(closure);
    const members = this.#members();
    if (members.length > 0) {
      const known = this.#memories.get(members[0]!.parameter);
      const goesOn = members.every(({ parameter }) => this.#memories.get(parameter) === known);
      const memory = goesOn && known?.isOf(members) ? known.copy() : new Memory(members);
      this.#minimize(memory, closure, Number(first.itemSync()));
      for (const { parameter } of members) this.#memories.set(parameter, memory);
    }
    this.#steps++;
    return first;
  }

  /** What is trained now: of each parameter with a gradient, what is not frozen. */
  #members(): Member[] {
    return [...this.presentGradients().keys()].flatMap((parameter) => {
      const region = parameter.trainable(null);
      return region === "none" ? [] : [{ parameter, region }];
    });
  }

  #evaluate(closure: Closure): Tensor {
    const loss: unknown = enableGrad(closure);
    if (!(loss instanceof Tensor) || loss.numel !== 1)
      throw new ArgumentError(
        `LBFGS: the closure gives ${loss instanceof Tensor ? `a tensor of shape [${loss.shape}]` : loss instanceof Promise ? "a promise" : String(loss)}; it must return the loss, a tensor of one element${loss instanceof Promise ? ", and not be asynchronous" : ""}`,
      );
    loss.itemSync();
    return loss.keep();
  }

  #minimize(memory: Memory, closure: Closure, firstLoss: number): void {
    const { members } = memory;
    const [group] = this.paramGroups;
    const { lr, maxIter, toleranceGrad, toleranceChange, historySize, lineSearchFn } = group!;
    const maxEval = group!.maxEval ?? Math.floor((maxIter * 5) / 4);
    const before = flattened(members, (p) => p);
    const put = (flat: Float64Array): void =>
      writingAs(this.name, () => noGrad(() => assignFlat(members, flat)));
    const gradientNow = (): Float64Array => flattened(members, ({ grad }) => grad);
    let gradient = gradientNow();
    let loss = firstLoss;
    let evaluations = 1;
    memory.evaluations++;
    if (largest(gradient) <= toleranceGrad) return;
    let values = before;
    try {
      for (let iteration = 1; ; iteration++) {
        const direction = memory.advance(gradient, historySize);
        memory.loss = loss;
        const size = gradient.reduce((sum, g) => sum + Math.abs(g), 0);
        memory.step = memory.iterations === 1 ? Math.min(1, 1 / size) * lr : lr;
        const slope = dot(gradient, direction);
        if (slope > -toleranceChange) break;
        const from = values;
        const at = (t: number): Float64Array => from.map((x, i) => x + t * direction[i]!);
        const lossAt = (t: number): LinePoint => {
          put(at(t));
          const found = Number(this.#evaluate(closure).itemSync());
          const there = gradientNow();
          return { t, loss: found, gradient: there, slope: dot(there, direction) };
        };
        let used = 0;
        if (lineSearchFn !== null) {
          const found = strongWolfe({
            start: { t: 0, loss, gradient, slope },
            firstStep: memory.step,
            largestMove: largest(direction),
            toleranceChange,
            maxRounds: maxEval - evaluations,
            at: lossAt,
          });
          ({ t: memory.step, loss, gradient } = found.point);
          used = found.evaluations;
          put(at(memory.step));
        } else if (iteration < maxIter) {
          ({ loss, gradient } = lossAt(memory.step));
          used = 1;
        } else put(at(memory.step));
        // What the parameters hold, which is rounded to their dtype.
        values = flattened(members, (p) => p);
        evaluations += used;
        memory.evaluations += used;
        const isDone =
          iteration >= maxIter ||
          evaluations >= maxEval ||
          largest(gradient) <= toleranceGrad ||
          largest(direction) * memory.step <= toleranceChange ||
          Math.abs(loss - memory.loss) < toleranceChange;
        if (isDone) break;
      }
      commit();
    } catch (error) {
      put(before);
      commit();
      throw error;
    }
  }

  override stateDict(options: NamingOptions = {}): OptimizerStateDict {
    refuseWhileRecording("stateDict()");
    const dict = super.stateDict(options);
    const nameOf = new Map([...this.namedParameters(options)].map(([name, p]) => [p, name]));
    const memories = [...new Set(this.#memories.values())];
    const state = savedMemories(
      memories,
      (p) => nameOf.get(p)!,
      (p) => this.#memories.get(p),
    );
    return { ...dict, state, updates: this.#steps };
  }

  override prepareLoad(dict: OptimizerStateDict, context: StateContext = {}): () => void {
    const putGroups = super.prepareLoad({ ...dict, state: {} }, context);
    const named = this.namedParameters(context.module ? { module: context.module as Module } : {});
    const tied = dict.tied ?? {};
    const memories = readMemories(dict.state, (saved) => {
      const name = context.path?.(saved) ?? saved;
      return named.get(name) ?? named.get(tied[name] ?? "");
    });
    return () => {
      putGroups();
      this.#memories.clear();
      for (const memory of memories)
        for (const { parameter } of memory.members) this.#memories.set(parameter, memory);
      this.#steps = dict.updates ?? 0;
    };
  }
}
