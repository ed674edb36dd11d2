import { ArgumentError, GradientError, NonFiniteError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { detectAnomaly, isCheckingFinite } from "../engine/finite.ts";
import { commit } from "../engine/realize.ts";
import type { Selector, SelectorPredicate } from "../freeze/selector.ts";
import { Module } from "../nn/module.ts";
import { Accumulator } from "../optim/accumulate.ts";
import { clipByNorm, clipByValue } from "../optim/clip.ts";
import { requireFinite } from "../optim/finite.ts";
import { type Gradients, throughSlots } from "../optim/gradient-transform.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Plan } from "../plan/plan.ts";
import { gradientsOf } from "../tensor/autograd.ts";
import { capture } from "../tensor/capture.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type CallPlan, CallPlans } from "./call-plan.ts";
import { type Report, Tracker } from "./report.ts";
import { TrainedSets } from "./trained-set.ts";

/** What a loss function gives: the loss, or an object with it and other tensors to be returned. */
export type LossResult = Tensor | ({ loss: Tensor } & Record<string, Tensor>);

/** What a step gives for it: the loss as a number, and the others as they are. */
export type StepResult<L> = L extends Tensor ? number : { loss: number } & Omit<L, "loss">;

/** Selectors of what a step trains; a function among them, which tests paths, stands in an array. */
export type Trains = Exclude<Selector, SelectorPredicate>;

/** Options of `trainStep`. */
export interface TrainStepOptions<A extends unknown[], L extends LossResult> {
  /** Computes the loss; tensors go in as arguments, everything else it closes over becomes part of the step. */
  loss: (...args: A) => L;
  /** What is trained, by selectors or as a function of the arguments. All else is frozen in this step. */
  trains: Trains | ((...args: A) => Selector);
  /** The module that selectors refer to; the optimizer's, if it was made with one. */
  module?: Module;
  /** Calls that make one update, from the mean of their gradients; all that any of them trains is trained. */
  accumulate?: number;
  /** Scale the gradients of what is trained so that their norm together is at most this. */
  clipNorm?: number;
  /** Clamp each element of the gradients to ± this. */
  clipValue?: number;
  /** Throw `NonFiniteError`, and update nothing, where the loss or a gradient is NaN or infinite. */
  finite?: boolean;
  /** Record again every so many calls, and throw `CaptureError` if the loss has come to do something else. */
  check?: number;
  /** Leave the gradients in `grad` of what was trained. */
  keepGrads?: boolean;
  /** Keep copies of parameters for `report()`; by default up to 131,072 elements in all. */
  report?: boolean;
}

/** A training step: call it with the arguments of its loss. */
export interface TrainStep<A extends unknown[], L extends LossResult> {
  (...args: A): Promise<StepResult<L>>;
  /** What it has done to each parameter since it was made. */
  report(): Report;
  /** The plan that ran last: `plan.explain()` shows its kernels and what they cost. */
  readonly plan: Plan | null;
}

/**
 * Makes a step that trains what `trains` names and nothing else: it computes the loss, gradients of what is trained
 * only, clips and accumulates as asked, and updates, as one recorded plan. What is not named is frozen while it runs,
 * bit for bit, with its optimizer state. If it throws, nothing has changed.
 */
export function trainStep<A extends unknown[], L extends LossResult>(
  optimizer: Pick<Optimizer<{ lr: number }, { step: number }>, "module" | "name" | "parameters" | "update">,
  options: TrainStepOptions<A, L>,
): TrainStep<A, L> {
  const module = options.module ?? optimizer.module;
  if (!(module instanceof Module))
    throw new ArgumentError(
      `trainStep: this ${optimizer.name} was made of parameters, not of a module, so paths mean nothing; pass { module }`,
    );
  const { accumulate = 1, check, clipNorm, clipValue, finite = false, keepGrads = false } = options;
  if (!Number.isInteger(accumulate) || accumulate < 1)
    throw new ArgumentError(
      `trainStep: accumulate is ${accumulate}; it must be a whole number of at least 1`,
    );
  const clip = [
    ...(clipValue === undefined ? [] : [clipByValue(clipValue)]),
    ...(clipNorm === undefined ? [] : [clipByNorm(clipNorm)]),
  ];
  const sets = new TrainedSets(module, optimizer.parameters());
  const plans = new CallPlans(accumulate);
  const accumulator = new Accumulator(accumulate);
  const tracker = new Tracker(module, options.report);

  /** The loss, and its gradients by what a call trains. */
  const differentiate = (call: CallPlan, args: A) => {
    const result = options.loss(...args);
    const loss = lossOf(result);
    const { parameters } = call.trained;
    const wanted = (owner: object): boolean => parameters.has(owner as Parameter);
    const found = loss.node.tracked ? gradientsOf("trainStep", loss.node, undefined, wanted) : new Map();
    if (found.size === 0) throw nothingTrained(call);
    return { loss, others: result instanceof Tensor ? null : { ...result }, found: found as Gradients };
  };
  /** Everything a call does, in terms of graphs. */
  const body = (call: CallPlan, ...args: A) => {
    const { loss, others, found } = differentiate(call, args);
    const gradients = throughSlots(found, {
      accumulate: accumulate > 1 ? accumulator.transform(call) : undefined,
      finite: finite ? requireFinite(loss.node) : undefined,
      clip,
    });
    optimizer.update(gradients);
    const stepped = [...gradients.keys()];
    return {
      loss,
      others,
      grads: keepGrads ? stepped.map((p) => new Tensor(gradients.get(p)!)) : [],
      // Behind a function: a parameter in a result would be a value to compute.
      stepped: () => stepped,
    };
  };
  const recorded = capture(body, { check });

  const unrecorded = (call: CallPlan, args: A): ReturnType<typeof body> => {
    commit();
    const made = body(call, ...args);
    for (const tensor of [made.loss, ...Object.values(made.others ?? {}), ...made.grads]) tensor.keep();
    commit();
    return made;
  };
  const run = (call: CallPlan, args: A): ReturnType<typeof body> => {
    if (isCheckingFinite()) return unrecorded(call, args);
    try {
      return recorded(call, ...args);
    } catch (error) {
      // The check only says that something is not finite: a search says what made it so.
      if (finite && error instanceof NonFiniteError)
        searching(() => {
          const { loss, found } = differentiate(call, args);
          for (const value of [loss, ...[...found.values()].map((g) => new Tensor(g))]) value.keep();
          commit();
        });
      throw error;
    }
  };

  const step = async (...args: A): Promise<StepResult<L>> => {
    refuseEmpty(args);
    const selector = typeof options.trains === "function" ? options.trains(...args) : options.trains;
    const call = plans.next(sets.get(selector));
    if (call.last) tracker.beforeCall(call.updated);
    const { loss, others, grads, stepped } = run(call, args);
    plans.done(call);
    for (const [i, grad] of grads.entries()) stepped()[i]!.grad = grad;
    tracker.afterCall(stepped(), taskOf(args));
    const value = Number(await loss.item());
    return (others === null ? value : { ...others, loss: value }) as StepResult<L>;
  };
  return Object.defineProperty(Object.assign(step, { report: () => tracker.report() }), "plan", {
    get: () => recorded.plan,
  }) as TrainStep<A, L>;
}

function lossOf(result: LossResult): Tensor {
  const loss = result instanceof Tensor ? result : result?.loss;
  if (loss instanceof Tensor) return loss;
  throw new ArgumentError(
    `trainStep: loss gave ${(result as unknown) instanceof Promise ? "a promise" : typeof result}; it must give a tensor, or { loss, … }, at once`,
  );
}

const nothingTrained = ({ trained }: CallPlan): GradientError =>
  new GradientError(
    `trainStep: the loss depends on nothing that this step trains: trains is ${trained.text}. ` +
      "Check that the forward pass uses what it names, that none of it has requiresGrad = false or is frozen, " +
      "and that the loss is not detached or made in noGrad().",
  );

/** Throws for an argument without elements: a mean over it would be NaN. */
function refuseEmpty(args: readonly unknown[]): void {
  for (const [i, arg] of args.entries())
    if (arg instanceof Tensor && arg.numel === 0)
      throw new ArgumentError(
        `trainStep: argument ${i + 1} is an empty batch, of shape ${shapeText(arg.shape)}; skip it`,
      );
}

/** What a call is called in a report: the strings among its arguments. */
const taskOf = (args: readonly unknown[]): string => args.filter((arg) => typeof arg === "string").join(" ");

/** Runs `fn` so that it throws an error that names the first operation to make a NaN or an infinity. */
function searching(fn: () => void): void {
  detectAnomaly(true);
  try {
    fn();
  } finally {
    detectAnomaly(false);
  }
}
