import type { Stateful } from "../base/stateful.ts";
import type { Group } from "../distributed/group.ts";
import type { Checked } from "../freeze/checked.ts";
import type { Selector, SelectorPredicate } from "../freeze/selector.ts";
import type { Module } from "../nn/module.ts";
import type { EMA } from "../optim/ema.ts";
import type { StatePolicy } from "../optim/state-policy.ts";
import type { Plan } from "../plan/plan.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LossResult } from "./differentiate.ts";
import type { Explanation } from "./explain.ts";
import type { GatheredReport } from "./gathered-report.ts";
import type { GradientHook } from "./gradient-hook.ts";
import type { Report } from "./report.ts";
import type { StepOptimizer } from "./step-optimizer.ts";
import type { StepStateDict } from "./step-state.ts";

/** What a step gives for it: the loss as a number, and the others as they are. */
export type StepResult<L> = L extends Tensor ? number : { loss: number } & Omit<L, "loss">;

/** Selectors of what a step trains; a function among them, which tests paths, stands in an array. */
export type Trains = Exclude<Selector, SelectorPredicate>;

/** As `Checked`, of what may stand by itself: not a function, which is one of the arguments. */
type Standing<M, S> = [Trains] extends [S] ? Trains : S extends Trains ? Checked<M, S> : never;

/** The first branch is never taken: S is inferred by it as a whole, and not by parts where it is a union. */
type Given<A extends unknown[], M, S, T> = [A] extends [never]
  ? S
  : ([S] extends [infer Whole] ? Standing<M, Whole> : never) | ((...args: A) => Checked<M, T>);

/**
 * Options of `trainStep`. `M` is the class of the module, in which selectors are checked as the compiler runs: `S` is
 * the type of `trains`, `T` that of what it gives where it is a function, `F` that of `freezes`.
 */
export interface TrainStepOptions<
  A extends unknown[],
  L extends LossResult,
  // Written, not worked out: the compiler would compare the checks of modules that it knows nothing of.
  in out M extends Module = Module,
  in out S = Trains,
  in out T extends Selector = Selector,
  in out F extends Selector = Selector,
> {
  /** Computes the loss; tensors go in as arguments, everything else it closes over becomes part of the step. */
  loss: (...args: A) => L;
  /** What is trained, by selectors or as a function of the arguments. All else is frozen in this step. */
  trains: Given<A, M, S, T>;
  /** The module that selectors refer to; the optimizer's, if it was made with one. */
  module?: M;
  /** Calls that make one update, from the mean of their gradients; all that any of them trains is trained. */
  accumulate?: number;
  /**
   * Sees the gradient of each parameter before an update is made of it, by path, and may give another: `(path, g) =>
   * path.endsWith("bias") ? g.mul(2) : undefined`. That is the mean over accumulated calls, before it is clipped; the
   * hook is part of what is recorded, as the loss is. What is frozen never comes to it, and so stays frozen.
   */
  gradients?: GradientHook;
  /** Scale the gradients of what is trained so that their norm together is at most this. */
  clipNorm?: number;
  /** Clamp each element of the gradients to ± this. */
  clipValue?: number;
  /**
   * Throw `NonFiniteError`, and update nothing, where the loss or a gradient is NaN or infinite, or the update would
   * write what is: to a parameter, its state, a buffer or an average.
   */
  finite?: boolean;
  /** Record again every so many calls, and throw `CaptureError` if the loss has come to do something else. */
  check?: number;
  /** Leave the gradients in `grad` of what was trained. */
  keepGrads?: boolean;
  /** What becomes of optimizer state while updates leave parameters out, by selector; later ones win. */
  state?: Readonly<Record<string, StatePolicy>>;
  /** Modules, parameters or buffers held in this step beside what `trains` leaves out: `module("backbone")`. */
  freezes?: Checked<M, F, "stored">;
  /** An average of the parameters that follows every update. */
  ema?: Pick<EMA, "update">;
  /**
   * The ranks that make each update together, from `distributed.group()`: gradients of what any of them trains are
   * averaged before they are clipped, and all have the same bits afterwards. What a rank's loss does not reach it gives
   * zeros for. A call that throws on one of them throws on all. Of one rank, it is as without.
   */
  group?: Group;
  /** Over how many ranks of a group gradients are averaged: all (default), or those whose loss reaches the parameter. */
  average?: "ranks" | "used";
  /**
   * Of how many samples a call's loss is the mean. Where it is given, gradients of the ranks of a group are averaged by it:
   * a short last batch on one of them then weighs as in one process that sees all samples.
   */
  samples?: (...args: A) => number;
  /**
   * Where ranks of a group begin: with the `"same"` values (default), or `GroupError` says which differ; `"broadcast"`: with
   * those of rank 0.
   */
  start?: "same" | "broadcast";
  /**
   * What a parameter means, or a part of one, that is under `freeze()` on some ranks of a group only: an `"error"`
   * (default), or `"withhold"`: those ranks send no gradient of it, and it moves by the gradients of the others, with its
   * optimizer state, on all ranks alike. It is the one case in which what is frozen moves.
   */
  frozenAlone?: "error" | "withhold";
  /**
   * Of how many MiB gradients are, at most, that go to the other ranks of a group together; default 25. They go while the
   * rest of backward runs. The bits do not depend on it.
   */
  bucketCapMb?: number;
  /**
   * Throw `FreezeError` where a bit of what is frozen differs after a call, naming parameter, call and writer. In a group
   * hashes of what is frozen, and of its optimizer state, are compared before each update too: `GroupError` on all ranks
   * names what is not the same on all.
   */
  verify?: boolean;
  /**
   * How `report()` compares. By default what is frozen is hashed, of what is trained the start is copied as far as copies
   * take little memory, or sketched, and networks of up to 131,072 elements are copied whole. True: copies of everything;
   * false: only steps are counted.
   */
  report?: boolean;
}

/** One task's part in a step that several make together: the arguments of its loss. */
export type Together<A extends unknown[]> = readonly (readonly [...A])[];

/**
 * A training step: call it with the arguments of its loss. It takes part in checkpoints, with what it has accumulated
 * and what it reports.
 */
export interface TrainStep<A extends unknown[], L extends LossResult>
  extends Required<Stateful<StepStateDict>> {
  (...args: A): Promise<StepResult<L>>;
  /**
   * One update of several tasks: the gradients of each loss, by what it trains itself, are added up, each times its
   * weight (default 1).
   */
  together(calls: Together<A>, options?: { weights?: readonly number[] }): Promise<StepResult<L>[]>;
  /**
   * Makes the update that is due after `accumulate` calls with those that there are, at the end of an epoch for
   * instance: from the mean of their gradients. Gives how many those are; after none, nothing happens.
   */
  flush(): Promise<number>;
  /** What it has done to each parameter since it was made. */
  report(): Report;
  /**
   * As `report()`, of all ranks of the step's group, with whether each parameter and its state has the same bits on all.
   * All ranks must call it. Of a group of one, and without a group, it is of this rank alone.
   */
  gatheredReport(): Promise<GatheredReport>;
  /** What a call with these arguments trains, what not, and why; and what that saves. Nothing is run or changed. */
  explain(...args: A): Explanation;
  readonly optimizer: StepOptimizer;
  /** The module that its selectors refer to. */
  readonly module: Module;
  /** The plan that ran last: `plan.explain()` shows its kernels and what they cost. */
  readonly plan: Plan | null;
}
