import { ArgumentError, GradientError, NonFiniteError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { shapeText } from "../base/shape.ts";
import type { Stateful } from "../base/stateful.ts";
import { yielding } from "../base/yielding.ts";
import { isCheckingFinite } from "../engine/finite.ts";
import { nonFiniteWrites } from "../engine/non-finite-writes.ts";
import { carriedOut, planned } from "../engine/realize.ts";
import { hostScalar, refuseWhileRecording } from "../engine/trace.ts";
import type { Checked } from "../freeze/checked.ts";
import { freeze, unfreeze } from "../freeze/freeze.ts";
import { selectParts } from "../freeze/select.ts";
import type { Selector, SelectorPredicate } from "../freeze/selector.ts";
import { notesScopes } from "../ir/origin.ts";
import { Module } from "../nn/module.ts";
import { inScopes } from "../nn/scopes.ts";
import { Accumulator, type Regions, trainableOf, unite } from "../optim/accumulate.ts";
import { clipByNorm, clipByValue } from "../optim/clip.ts";
import type { EMA } from "../optim/ema.ts";
import { isOfWrites, requireFinite, requireFiniteWrites } from "../optim/finite.ts";
import { throughSlots } from "../optim/gradient-transform.ts";
import type { StatePolicy } from "../optim/state-policy.ts";
import type { Node } from "../optim/transform.ts";
import type { Plan } from "../plan/plan.ts";
import { noGrad } from "../tensor/autograd.ts";
import { captureThen } from "../tensor/capture.ts";
import { full } from "../tensor/operations/elementwise.ts";
import { putRegion } from "../tensor/operations/region.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { whileTraining } from "../tensor/trained-now.ts";
import { callLoss } from "./call-loss.ts";
import { CallPlan, CallPlans } from "./call-plan.ts";
import { diagnose } from "./diagnose.ts";
import { combine, type Differentiated, differentiate, type LossResult, lossOf } from "./differentiate.ts";
import { type Explanation, explainCall } from "./explain.ts";
import { type GradientHook, hookStage } from "./gradient-hook.ts";
import { outsideOf, outsideWarning } from "./outside.ts";
import type { Report } from "./report.ts";
import { StepRound } from "./round.ts";
import type { StepOptimizer } from "./step-optimizer.ts";
import { recordingState, type StepStateDict, stateOf } from "./step-state.ts";
import { Tracker } from "./tracker.ts";
import { type TrainedSet, TrainedSets } from "./trained-set.ts";
import { unreachedWarning } from "./unreached.ts";
import { Verifier } from "./verify.ts";

export type { LossResult };

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
  /** Throw `FreezeError` where a bit of what is frozen differs after a call, naming parameter, call and writer. */
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
  /** What a call with these arguments trains, what not, and why; and what that saves. Nothing is run or changed. */
  explain(...args: A): Explanation;
  readonly optimizer: StepOptimizer;
  /** The module that its selectors refer to. */
  readonly module: Module;
  /** The plan that ran last: `plan.explain()` shows its kernels and what they cost. */
  readonly plan: Plan | null;
}

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
  const module = options.module ?? optimizer.module;
  if (!(module instanceof Module))
    throw new ArgumentError(
      `trainStep: this ${optimizer.name} was made of parameters, not of a module, so paths mean nothing; pass { module }`,
    );
  const {
    accumulate = 1,
    check,
    clipNorm,
    clipValue,
    ema,
    finite = false,
    freezes,
    gradients: hook,
    keepGrads = false,
  } = options;
  if (hook !== undefined && typeof hook !== "function")
    throw new ArgumentError(
      `trainStep: gradients is ${typeof hook}; it must be a function of a path and a gradient`,
    );
  if (typeof options.loss !== "function")
    throw new ArgumentError(
      `trainStep: loss is ${typeof options.loss}; it must be a function that gives a tensor`,
    );
  if (!Number.isInteger(accumulate) || accumulate < 1)
    throw new ArgumentError(
      `trainStep: accumulate is ${accumulate}; it must be a whole number of at least 1`,
    );
  const clip = [
    ...(clipValue === undefined ? [] : [clipByValue(clipValue)]),
    ...(clipNorm === undefined ? [] : [clipByNorm(clipNorm)]),
  ];
  for (const [selector, policy] of Object.entries(options.state ?? {}))
    optimizer.setStatePolicy(wholeParameters(module, selector), policy);
  const sets = new TrainedSets(module, optimizer);
  const plans = new CallPlans(accumulate);
  const accumulator = new Accumulator(accumulate);
  const round = new StepRound(module, plans, accumulator, () => optimizer.parameters());
  const tracker = new Tracker(module, options.report);
  const verifier = options.verify ? new Verifier(module, optimizer) : null;
  const warnOfUnreached = unreachedWarning(module);
  const warnOfOutside = outsideWarning(module, optimizer);

  /** What the losses of a call give: all that is the user's in it. */
  const lossesOf = (call: CallPlan, _: boolean, all: Together<A>): LossResult[] => {
    const losses = () =>
      all.map((args, i) =>
        whileTraining(call.members[i]!.regions, () => callLoss(options.loss, args as unknown as A)),
      );
    return notesScopes() ? inScopes(module, losses) : losses();
  };
  const differentiated = (given: readonly LossResult[], call: CallPlan): Differentiated[] =>
    call.members.map((set, i) => differentiate(given[i]!, set));
  /** The weights of the losses of the present call: inputs of the step, so that others cost nothing. */
  let weights: readonly number[] = [];
  /** The gradients of a call's losses, as far as the user has a say in them. */
  const gradientsFor = (given: readonly LossResult[], call: CallPlan, weighted: boolean) => {
    const parts = differentiated(given, call);
    const { gradients: found, regions: reached } = noGrad(() =>
      combine(
        parts.map((part, i) => ({
          ...part,
          regions: call.members[i]!.regions,
          weight: weighted ? (dtype) => hostScalar(() => weights[i]!, dtype) : null,
        })),
      ),
    );
    const { earlier, last, of } = call;
    const sofar = unite(earlier, reached);
    const updated = trainableOf(sofar);
    const gradients = throughSlots(found, {
      accumulate:
        accumulate > 1 ? accumulator.transform({ earlier, sofar, last, of }, reached, updated) : undefined,
      hook: hook && last ? hookStage(hook, module, updated) : undefined,
    });
    return { parts, reached, sofar, updated, gradients };
  };
  /** What a call does with them. */
  const update = (
    { parts, reached, sofar, updated, gradients: found }: ReturnType<typeof gradientsFor>,
    { last }: CallPlan,
  ) => {
    const gradients = throughSlots(found, {
      finite: finite ? requireFinite(parts.map(({ loss }) => loss.node)) : undefined,
      // Only what is finite is kept, where that is asked: a sum that is not would fail every later call.
      clip: last ? clip : [accumulator.keep(sofar)],
    });
    optimizer.update(gradients, updated);
    const stepped = [...gradients.keys()];
    if (last) ema?.update(stepped.map((p) => [p, updated.get(p) ?? null] as const));
    const losses = parts.map(({ loss }) => loss);
    if (finite) requireFiniteWrites();
    return {
      losses,
      others: parts.map(({ others }) => others),
      grads: keepGrads ? stepped.map((p) => new Tensor(wholeGradient(p, gradients.get(p)!, updated))) : [],
      about: constant({ stepped, reached, outside: outsideOf(losses, module, optimizer) }),
    };
  };
  /** What a call does with its losses, in terms of graphs. */
  const carryOn = (given: readonly LossResult[], [call, weighted]: Parameters<typeof lossesOf>) =>
    update(gradientsFor(given, call, weighted), call);
  const body = (...args: Parameters<typeof lossesOf>) => carryOn(lossesOf(...args), args);
  /** With a hook, the gradients are what the user's code asks for too: whether it has changed is told by them. */
  let hooked: ReturnType<typeof gradientsFor> | null = null;
  const lossesAndGradientsOf = (...args: Parameters<typeof lossesOf>) => {
    const losses = lossesOf(...args);
    hooked = gradientsFor(losses, args[0], args[1]);
    const gradients = [...hooked.gradients].map(([p, g]) => [p, new Tensor(g)] as const);
    return [losses, gradients.map(([p]) => idOf(p)), gradients.map(([, g]) => g)];
  };
  const recorded =
    hook === undefined
      ? captureThen(lossesOf, carryOn, { check })
      : captureThen(lossesAndGradientsOf, (_, [call]) => update(hooked!, call), { check });
  const state = stateOf({ round, report: tracker, recording: recordingState(recorded) });

  const unrecorded = (...args: Parameters<typeof body>): ReturnType<typeof body> =>
    carriedOut(() => {
      const made = body(...args);
      const others = made.others.flatMap((o) => Object.values(o ?? {}));
      for (const value of [...made.losses, ...others, ...made.grads])
        if (value instanceof Tensor) value.keep();
      return made;
    });
  const run = (...args: Parameters<typeof body>): ReturnType<typeof body> => {
    try {
      return isCheckingFinite() ? unrecorded(...args) : recorded(...args);
    } catch (error) {
      if (isOfWrites(error)) {
        const names = namesOfWrites(() => void body(...args));
        throw new NonFiniteError(
          `The update would write a NaN or an infinity to ${names || "a parameter or its state"}, though the loss and the gradients are finite; ` +
            "nothing was updated. Lower the learning rate, or clip the gradients.",
          { cause: error },
        );
      }
      // The check only says that something is not finite: a search says what made it so.
      if (error instanceof NonFiniteError && (finite || isCheckingFinite()))
        throw diagnose(error, {
          module,
          parameters: optimizer.parameters(),
          calls: args[2],
          body: () => body(...args).losses,
        });
      throw error;
    } finally {
      // What is recorded has no graph that it would hold on to.
      hooked = null;
    }
  };
  const held = <T>(fn: () => T): T => (freezes === undefined ? fn() : freeze(module, freezes, fn));
  const selectorOf = (args: A): Selector => {
    const given: Selector = typeof options.trains === "function" ? options.trains(...args) : options.trains;
    if (!isPromiseLike(given)) return given;
    disown(given);
    throw new ArgumentError("trainStep: trains gave a promise; it must give a selector at once");
  };

  const callAll = (all: Together<A>, given: readonly number[] | null) => {
    for (const args of all) refuseArguments(args);
    const members = all.map((args) => sets.get(selectorOf(args as unknown as A)));
    const trained = sets.union(members);
    return carryOutCall(plans.next(members, trained), given, all);
  };
  const carryOutCall = (call: CallPlan, given: readonly number[] | null, all: Together<A>) => {
    if (call.last) tracker.beforeCall(call.updated);
    const weighted = given !== null;
    if (weighted) weights = given;
    const carryOut = (): ReturnType<typeof body> => {
      const ran = run(call, weighted, all);
      plans.done(call, ran.about().reached);
      return ran;
    };
    const made = verifier === null ? carryOut() : verifier.around(call.updated, carryOut);
    const { stepped, reached, outside } = made.about();
    warnOfUnreached(call.trained, reached);
    warnOfOutside(outside);
    for (const [i, grad] of made.grads.entries()) stepped[i]!.grad = grad;
    tracker.afterCall(stepped, all.length === 1 ? taskOf(all[0]!) : all.map(taskOf).join(" "));
    return made;
  };
  const resultOf = (loss: number, others: Record<string, Tensor> | null): StepResult<L> =>
    (others === null ? loss : { ...others, loss }) as StepResult<L>;
  const step = (...args: A): Promise<StepResult<L>> => {
    // Thrown, not a promise that nobody awaits there.
    refuseWhileRecording("trainStep: calling a step");
    return yielding(() => {
      const { losses, others } = held(() => callAll([args], null));
      return resultOf(Number(losses[0]!.itemSync()), others[0]!);
    });
  };
  const together: TrainStep<A, L>["together"] = (calls, options = {}) =>
    yielding(() => {
      const { weights: given } = options;
      refuseCalls(calls);
      refuseWeights(calls.length, given ?? calls.map(() => 1));
      const { losses, others } = held(() => callAll(calls, given ?? null));
      return losses.map((loss, i) => resultOf(Number(loss.itemSync()), others[i]!));
    });
  const flush = (): Promise<number> =>
    yielding(() => {
      const { position } = plans;
      const call = plans.early();
      // What has been frozen since loses what was summed for it, as in any round.
      if (call !== null && trainableOf(call.updated).size > 0) held(() => carryOutCall(call, null, []));
      else round.discard();
      return position;
    });
  const explain = (...args: A): Explanation =>
    held(() => {
      const selector = selectorOf(args);
      let reached: Regions = new Map();
      let outside: readonly Parameter[] = [];
      const forward = (): (() => Plan) =>
        planned(() => {
          const loss = lossOf(callLoss(options.loss, args));
          outside = outsideOf([loss], module, optimizer);
          return [loss.node];
        });
      const costOf = (set: TrainedSet): (() => Plan) => {
        reached = new Map();
        try {
          return planned(() => {
            const made = body(new CallPlan([set], set, new Map(), true, accumulate), false, [args]);
            ({ reached, outside } = made.about());
            return made.losses.map(({ node }) => node);
          });
        } catch (error) {
          // A call that trains nothing throws; here it is said of each parameter why.
          if (error instanceof GradientError) return forward();
          throw error;
        }
      };
      const costOfAll = unfreeze(module, "**", () => costOf(sets.all()));
      const cost = costOf(sets.get(selector));
      const task = taskOf(args);
      return explainCall({ module, optimizer, selector, task, reached, outside, cost, costOfAll });
    });
  return Object.defineProperty(
    Object.assign(step, state, {
      optimizer,
      module,
      together,
      flush,
      explain,
      report: () => tracker.report(),
    }),
    "plan",
    { get: () => recorded.plan },
  ) as TrainStep<A, L>;
}

/** What a call would write a NaN or an infinity to; nothing where its loss refuses to be computed once more. */
function namesOfWrites(body: () => void): string {
  try {
    return nonFiniteWrites(body).join(", ");
  } catch {
    return "";
  }
}

/** The parameters that a selector names all of; state policies are of those. */
function wholeParameters(module: Module, selector: string): Parameter[] {
  return [...selectParts(module, selector)].map(([path, { parameter, region }]) => {
    if (region === null) return parameter;
    throw new ArgumentError(
      `trainStep: state has a policy for ${path}${region.text}; name ${path}: each region that is trained by itself follows its policy by itself`,
    );
  });
}

/**
 * A function that gives a value: a parameter in a result would be one to compute. Made out here, where nothing of the
 * step is in reach, or the recording would hold on to its graph.
 */
const constant =
  <T>(value: T): (() => T) =>
  () =>
    value;

/** A gradient of the shape of its parameter: zeros where that is not trained. */
function wholeGradient(p: Parameter, gradient: Node, regions: Regions): Node {
  const region = regions.get(p)!;
  return region === null ? gradient : putRegion(full(p.shape, 0, gradient.dtype), region, gradient);
}

/** Throws for what is no list of calls: a task's arguments stand in an array of their own. */
function refuseCalls(calls: readonly unknown[]): void {
  if (!Array.isArray(calls) || !calls.every(Array.isArray))
    throw new ArgumentError(
      "together: give an array of calls, each an array of the arguments of its loss: [[x, y], [u, v]]",
    );
}

function refuseWeights(calls: number, weights: readonly number[]): void {
  if (calls === 0) throw new ArgumentError("together: no calls; give the arguments of at least one");
  if (weights.length !== calls || !weights.every(Number.isFinite))
    throw new ArgumentError(
      `together: weights are [${weights.join(", ")}] for ${calls} calls; give each a finite number`,
    );
}

/** Throws for an argument without elements, a mean over which would be NaN, and for one that is not there yet. */
function refuseArguments(args: readonly unknown[]): void {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg instanceof Tensor) {
      if (arg.numel > 0) continue;
      throw new ArgumentError(
        `trainStep: argument ${i + 1} is an empty batch, of shape ${shapeText(arg.shape)}; skip it`,
      );
    }
    if (isPromiseLike(arg)) {
      disown(arg);
      throw new ArgumentError(`trainStep: argument ${i + 1} is a promise; await it before the call`);
    }
  }
}

/** What a call is called in a report: the strings among its arguments. */
function taskOf(args: readonly unknown[]): string {
  let task = "";
  for (const arg of args) if (typeof arg === "string") task = task === "" ? arg : `${task} ${arg}`;
  return task;
}
