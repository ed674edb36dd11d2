import { ArgumentError } from "../base/errors.ts";
import { flag, type OptionCheck, refuseOptions, wholeFrom } from "../base/options.ts";
import { yielding } from "../base/yielding.ts";
import { storageOf } from "../engine/realize.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import type { Selector } from "../freeze/selector.ts";
import { Module } from "../nn/module.ts";
import type { EMA } from "../optim/ema.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LossResult } from "./differentiate.ts";
import type { Explanation } from "./explain.ts";
import type { GatheredReport } from "./gathered-report.ts";
import { Step } from "./step.ts";
import type { StepOptimizer } from "./step-optimizer.ts";
import type { StepResult, TrainStep, TrainStepOptions, Trains } from "./step-types.ts";

/**
 * Makes a step that trains what `trains` names and nothing else: it computes the loss, gradients of what is trained
 * only, clips and accumulates as asked, and updates, as one recorded plan. What is not named is frozen while it runs,
 * bit for bit, with its optimizer state. If it throws, nothing has changed.
 */
export function trainStep<
  A extends unknown[],
  L extends LossResult,
  O extends Module | null,
  // Objects too: what is inferred where `trains` is a function then says no more than that it is one.
  const S extends Trains | object,
  const T extends Selector,
  const F extends Selector,
  M extends Module = O & Module,
>(optimizer: StepOptimizer<O>, options: TrainStepOptions<A, L, M, S, T, F>): TrainStep<A, L>;
export function trainStep<A extends unknown[], L extends LossResult>(
  optimizer: StepOptimizer,
  options: TrainStepOptions<A, L>,
): TrainStep<A, L> {
  refuseWrongOptions(options);
  const module = options.module ?? optimizer.module;
  if (!(module instanceof Module))
    throw new ArgumentError(
      `trainStep: this ${optimizer.name} was made of parameters, not of a module, so paths mean nothing; pass { module }`,
    );
  const work = new Step(optimizer, module, options);
  const step = (...args: A): Promise<StepResult<L>> => {
    // Thrown, not a promise that nobody awaits there.
    refuseWhileRecording("trainStep: calling a step");
    return yielding(() => {
      const { losses, others } = work.call([args], null);
      return resultOf<L>(losses[0]!, others[0]!);
    });
  };
  const together: TrainStep<A, L>["together"] = (calls, { weights } = {}) =>
    yielding(() => {
      const { losses, others } = work.call(calls, weights ?? null);
      return losses.map((loss, i) => resultOf<L>(loss, others[i]!));
    });
  return Object.defineProperty(
    Object.assign(step, work.state(), {
      optimizer,
      module,
      together,
      flush: (): Promise<number> => yielding(() => work.flush()),
      explain: (...args: A): Explanation => work.explain(args),
      report: () => work.report(),
      gatheredReport: async (): Promise<GatheredReport> => work.gatheredReport(),
    }),
    "plan",
    { get: () => work.plan },
  ) as TrainStep<A, L>;
}

const resultOf = <L>(loss: Tensor, others: Record<string, Tensor> | null): StepResult<L> => {
  const value = storageOf(loss).at(0);
  return (others === null ? value : { ...others, loss: value }) as StepResult<L>;
};

const checks: { readonly [K in keyof Required<TrainStepOptions<never, never>>]: OptionCheck | null } = {
  loss: null,
  trains: null,
  module: null,
  accumulate: null,
  gradients: null,
  clipNorm: null,
  clipValue: null,
  finite: flag,
  check: wholeFrom(0),
  keepGrads: flag,
  state: null,
  freezes: null,
  ema: (value: unknown) =>
    typeof (value as EMA | null)?.update === "function" ? null : "an EMA, or what has an update()",
  group: null,
  average: null,
  samples: null,
  start: null,
  frozenAlone: null,
  bucketCapMb: null,
  verify: flag,
  report: flag,
};

/** Throws `ArgumentError` for options that no step can be made with. */
function refuseWrongOptions<A extends unknown[], L extends LossResult>(
  options: TrainStepOptions<A, L>,
): void {
  refuseOptions("trainStep", options, checks as never);
  const { loss, gradients, accumulate = 1 } = options;
  if (gradients !== undefined && typeof gradients !== "function")
    throw new ArgumentError(
      `trainStep: gradients is ${typeof gradients}; it must be a function of a path and a gradient`,
    );
  if (typeof loss !== "function")
    throw new ArgumentError(`trainStep: loss is ${typeof loss}; it must be a function that gives a tensor`);
  if (!Number.isInteger(accumulate) || accumulate < 1)
    throw new ArgumentError(
      `trainStep: accumulate is ${accumulate}; it must be a whole number of at least 1`,
    );
}
