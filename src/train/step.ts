import { ArgumentError, GradientError, NonFiniteError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import type { Stateful } from "../base/stateful.ts";
import type { StepGroup } from "../distributed/step-group.ts";
import type { Captured } from "../engine/capture.ts";
import { isCheckingFinite } from "../engine/finite.ts";
import { carriedOut, planned } from "../engine/realize.ts";
import { hostScalar } from "../engine/trace.ts";
import { freeze, unfreeze } from "../freeze/freeze.ts";
import type { Selector } from "../freeze/selector.ts";
import { notesScopes } from "../ir/origin.ts";
import type { Module } from "../nn/module.ts";
import { inScopes } from "../nn/scopes.ts";
import { Accumulator, type Regions, trainableOf, unite } from "../optim/accumulate.ts";
import { clipByNorm, clipByValue } from "../optim/clip.ts";
import { isOfWrites, requireFinite, requireFiniteWrites } from "../optim/finite.ts";
import { type Gradients, type GradientTransform, throughSlots } from "../optim/gradient-transform.ts";
import type { Plan } from "../plan/plan.ts";
import { noGrad } from "../tensor/autograd.ts";
import { captureThen } from "../tensor/capture.ts";
import { hasCustomGradients } from "../tensor/custom-function.ts";
import { movingFrozen } from "../tensor/moving-frozen.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { whileTraining } from "../tensor/trained-now.ts";
import { refuseArguments, refuseCalls, refuseWeights, taskOf } from "./call-arguments.ts";
import { callLoss } from "./call-loss.ts";
import { CallPlan, CallPlans } from "./call-plan.ts";
import { diagnose, namesOfWrites } from "./diagnose.ts";
import {
  combine,
  type Differentiated,
  differentiate,
  type LossResult,
  lossOf,
  wholeGradient,
} from "./differentiate.ts";
import { type Explanation, explainCall } from "./explain.ts";
import { type GatheredReport, gatherReport } from "./gathered-report.ts";
import { hookStage } from "./gradient-hook.ts";
import { groupOf, samplesOf } from "./group-of.ts";
import { outsideOf, outsideWarning } from "./outside.ts";
import type { Report } from "./report.ts";
import { StepRound } from "./round.ts";
import { setStatePolicies } from "./state-policies.ts";
import type { StepOptimizer } from "./step-optimizer.ts";
import { recordingState, type StepStateDict, stateOf } from "./step-state.ts";
import type { Together, TrainStepOptions } from "./step-types.ts";
import { Tracker } from "./tracker.ts";
import { type TrainedSet, TrainedSets } from "./trained-set.ts";
import { unreachedWarning } from "./unreached.ts";
import { Verifier } from "./verify.ts";

/** What a recording is made of: what a call does, whether its losses are weighted, and the arguments of each. */
type Recorded<A extends unknown[]> = [call: CallPlan, weighted: boolean, all: Together<A>];

/** The gradients of a call's losses, before the optimizer makes an update of them. */
interface CallGradients {
  readonly parts: readonly Differentiated[];
  /** What the losses of this call have gradients of, and what those of its round have. */
  readonly reached: Regions;
  readonly sofar: Regions;
  /** What of that may be trained now. */
  readonly updated: Regions;
  readonly gradients: Gradients;
}

/** What a call gives, all of it tensors of the recording; the rest stands behind a function, as it is no result. */
interface Made {
  readonly losses: readonly Tensor[];
  readonly others: readonly (Record<string, Tensor> | null)[];
  readonly grads: readonly Tensor[];
  about(): {
    readonly stepped: readonly Parameter[];
    readonly reached: Regions;
    readonly outside: readonly Parameter[];
  };
}

/** The work of `trainStep`: what its calls train, the recording that they run, and what is told of them. */
export class Step<A extends unknown[], L extends LossResult> {
  readonly optimizer: StepOptimizer;
  readonly module: Module;
  readonly #options: TrainStepOptions<A, L>;
  readonly #accumulate: number;
  readonly #clip: readonly GradientTransform[];
  readonly #sets: TrainedSets;
  readonly #plans: CallPlans;
  readonly #accumulator: Accumulator;
  readonly #round: StepRound;
  readonly #tracker: Tracker;
  readonly #verifier: Verifier | null;
  readonly #warnOfUnreached: ReturnType<typeof unreachedWarning>;
  readonly #warnOfOutside: ReturnType<typeof outsideWarning>;
  readonly #recorded: Captured<Recorded<A>, Made>;
  /** The ranks that it makes its updates with; null: none. */
  readonly #group: StepGroup | null;
  /** Whether a call is looked at by this rank alone. */
  #aside = false;
  /** The weights of the losses of the present call: inputs of the step, so that others cost nothing. */
  #weights: readonly number[] = [];
  /** Gives the gradients of the call that is being recorded. */
  #gradients: (() => CallGradients) | null = null;

  constructor(optimizer: StepOptimizer, module: Module, options: TrainStepOptions<A, L>) {
    const { accumulate = 1, check, clipNorm, clipValue } = options;
    this.optimizer = optimizer;
    this.module = module;
    this.#options = { ...options };
    this.#accumulate = accumulate;
    this.#clip = [
      ...(clipValue === undefined ? [] : [clipByValue(clipValue)]),
      ...(clipNorm === undefined ? [] : [clipByNorm(clipNorm)]),
    ];
    setStatePolicies(optimizer, module, options.state);
    this.#sets = new TrainedSets(module, optimizer);
    this.#plans = new CallPlans(accumulate);
    this.#accumulator = new Accumulator(accumulate);
    this.#round = new StepRound(module, this.#plans, this.#accumulator, () => optimizer.parameters());
    this.#tracker = new Tracker(module, options.report);
    this.#verifier = options.verify ? new Verifier(module, optimizer) : null;
    this.#group = groupOf(options, { module, optimizer });
    this.#warnOfUnreached = unreachedWarning(module);
    this.#warnOfOutside = outsideWarning(module, optimizer);
    this.#recorded = captureThen(
      (...args: Recorded<A>) => this.#askedOf(...args),
      (_, [call]) => this.#update(this.#gradients!(), call),
      { check },
    );
  }

  /** What takes part in a checkpoint. */
  state(): Required<Stateful<StepStateDict>> {
    return stateOf({
      round: this.#round,
      report: this.#tracker,
      recording: recordingState(this.#recorded),
    });
  }

  get plan(): Plan | null {
    return this.#recorded.plan;
  }

  report(): Report {
    return this.#tracker.report();
  }

  gatheredReport(): Promise<GatheredReport> {
    return gatherReport(this.report(), this.module, this.optimizer, this.#options.group);
  }

  /** What the losses of a call give: all that is the user's in it. */
  #lossesOf(call: CallPlan, weighted: boolean, all: Together<A>): LossResult[] {
    const losses = () =>
      all.map((args, i) =>
        whileTraining(call.members[i]!.regions, () => callLoss(this.#options.loss, args as unknown as A)),
      );
    const scoped = () => (notesScopes() ? inScopes(this.module, losses) : losses());
    if (this.#group === null || this.#aside) return scoped();
    const refusal =
      this.#accumulate > 1
        ? "ranks meet in the last call of an update only, so that it does not go with accumulate"
        : weighted
          ? "gradients come from other ranks' losses too, so that it does not go with weights of losses"
          : null;
    return this.#group.computing(scoped, refusal);
  }

  /**
   * All that the user's code asks for in a call. With a hook on gradients, or a function that has gradients of its own,
   * they belong to it, and whether it has changed is told by them too.
   */
  #askedOf(...args: Recorded<A>): unknown[] {
    const losses = this.#lossesOf(...args);
    if (this.#options.gradients === undefined && !hasCustomGradients()) {
      this.#gradients = () => this.#gradientsFor(losses, args[0], args[1]);
      return losses;
    }
    const made = this.#gradientsFor(losses, args[0], args[1]);
    this.#gradients = () => made;
    const gradients = [...made.gradients].map(([p, g]) => [p, new Tensor(g)] as const);
    return [losses, gradients.map(([p]) => idOf(p)), gradients.map(([, g]) => g)];
  }

  /** The gradients of a call's losses, as far as the user has a say in them. */
  #gradientsFor(given: readonly LossResult[], call: CallPlan, weighted: boolean): CallGradients {
    const { members, earlier, last, of, agreed } = call;
    const ranks = this.#aside || agreed === null ? null : this.#group!;
    const hook = this.#options.gradients;
    // What this rank holds it gives nothing for: where that is all, the others' gradients are there still.
    const mayWithhold = ({ regions }: TrainedSet): boolean =>
      agreed !== null &&
      agreed.regions.size > 0 &&
      this.#group!.withholds &&
      [...regions.keys()].some((p) => p.frozen);
    const parts = members.map((set, i) => differentiate(given[i]!, set, mayWithhold(set)));
    const { gradients: found, regions: reached } = noGrad(() =>
      combine(
        parts.map((part, i) => ({
          ...part,
          regions: members[i]!.regions,
          weight: weighted ? (dtype) => hostScalar(() => this.#weights[i]!, dtype) : null,
        })),
      ),
    );
    const sofar = unite(earlier, reached);
    const own = trainableOf(sofar);
    const updated = ranks === null ? own : agreed!.regions;
    const stage = hook && last ? hookStage(hook, this.module, updated) : undefined;
    const gradients = throughSlots(found, {
      accumulate:
        this.#accumulate > 1
          ? this.#accumulator.transform({ earlier, sofar, last, of }, reached, own)
          : undefined,
      allReduce: ranks?.stage(agreed!, own, stage !== undefined),
      hook: stage && (ranks?.hooked(stage, agreed!) ?? stage),
    });
    return { parts, reached, sofar, updated, gradients };
  }

  /** Runs `fn`, what is done with a call's update: to what is frozen on this rank alone too, where ranks may withhold. */
  #moving<T>({ agreed }: CallPlan, fn: () => T): T {
    return agreed !== null && this.#group!.withholds ? movingFrozen(fn) : fn();
  }

  /** What a call does with them. */
  #update(gradients: CallGradients, call: CallPlan): Made {
    return this.#moving(call, () => this.#updateOf(gradients, call));
  }

  #updateOf({ parts, reached, sofar, updated, gradients: found }: CallGradients, call: CallPlan): Made {
    const { last, agreed } = call;
    const { ema, finite = false, keepGrads = false } = this.#options;
    const gradients = throughSlots(found, {
      finite: finite ? requireFinite(parts.map(({ loss }) => loss.node)) : undefined,
      // Only what is finite is kept, where that is asked: a sum that is not would fail every later call.
      clip: last ? this.#clip : [this.#accumulator.keep(sofar)],
    });
    this.optimizer.update(gradients, updated);
    const stepped = [...gradients.keys()];
    if (last) ema?.update(stepped.map((p) => [p, updated.get(p) ?? null] as const));
    const losses = parts.map(({ loss }) => loss);
    if (finite) requireFiniteWrites(found.values());
    if (agreed !== null && !this.#aside) this.#group!.seal();
    return {
      losses,
      others: parts.map(({ others }) => others),
      grads: keepGrads ? stepped.map((p) => new Tensor(wholeGradient(p, gradients.get(p)!, updated))) : [],
      about: constant({ stepped, reached, outside: outsideOf(losses, this.module, this.optimizer) }),
    };
  }

  /** What a call does, in terms of graphs. */
  #body(...args: Recorded<A>): Made {
    const [call, weighted] = args;
    return this.#update(this.#gradientsFor(this.#lossesOf(...args), call, weighted), call);
  }

  #unrecorded(...args: Recorded<A>): Made {
    return carriedOut(() => {
      const made = this.#body(...args);
      const others = made.others.flatMap((o) => Object.values(o ?? {}));
      for (const value of [...made.losses, ...others, ...made.grads])
        if (value instanceof Tensor) value.keep();
      return made;
    });
  }

  #run(...args: Recorded<A>): Made {
    try {
      return isCheckingFinite() ? this.#unrecorded(...args) : this.#recorded(...args);
    } catch (error) {
      throw this.#explained(error, args);
    } finally {
      // What is recorded has no graph that it would hold on to.
      this.#gradients = null;
    }
  }

  /** An error of a call, which says what is not finite where that is what it is about. */
  #explained(error: unknown, args: Recorded<A>): unknown {
    this.#aside = true;
    try {
      return this.#explainedAside(error, args);
    } finally {
      this.#aside = false;
    }
  }

  #explainedAside(error: unknown, args: Recorded<A>): unknown {
    if (isOfWrites(error)) {
      const names = namesOfWrites(() => void this.#body(...args));
      return new NonFiniteError(
        `The update would write a NaN or an infinity to ${names || "a parameter or its state"}, though the loss and the gradients are finite; ` +
          "nothing was updated. Lower the learning rate, or clip the gradients.",
        { cause: error },
      );
    }
    // The check only says that something is not finite: a search says what made it so.
    if (!(error instanceof NonFiniteError && (this.#options.finite || isCheckingFinite()))) return error;
    return diagnose(error, {
      module: this.module,
      parameters: this.optimizer.parameters(),
      calls: args[2],
      body: () => this.#body(...args).losses,
    });
  }

  /** Runs `fn` while what `freezes` names is frozen. */
  #held<T>(fn: () => T): T {
    const { freezes } = this.#options;
    return freezes === undefined ? fn() : freeze(this.module, freezes, fn);
  }

  /** Runs `fn`, which may meet other ranks, while that is frozen; what is refused before that they are told of. */
  #heldTogether<T>(isUpdate: boolean, refuse: () => void, fn: () => T): T {
    let hasBegun = false;
    const begun = (): T => {
      hasBegun = true;
      return fn();
    };
    try {
      refuse();
      return this.#held(begun);
    } catch (error) {
      if (!hasBegun) this.#group?.refuse(error, isUpdate);
      throw error;
    }
  }

  #selectorOf(args: A): Selector {
    const { trains } = this.#options;
    const given: Selector = typeof trains === "function" ? trains(...args) : trains;
    if (!isPromiseLike(given)) return given;
    disown(given);
    throw new ArgumentError("trainStep: trains gave a promise; it must give a selector at once");
  }

  /** Carries out calls as one update, with a weight for each (null: 1). */
  call(all: Together<A>, given: readonly number[] | null): Made {
    const refuse = (): void => {
      refuseCalls(all);
      refuseWeights(all.length, given);
    };
    return this.#heldTogether(this.#plans.isLast, refuse, () => this.#callHeld(all, given));
  }

  #callHeld(all: Together<A>, given: readonly number[] | null): Made {
    const planOf = (): CallPlan => {
      for (const args of all) refuseArguments(args);
      const members = all.map((args) => this.#sets.get(this.#selectorOf(args as unknown as A)));
      return this.#plans.next(members, this.#sets.union(members));
    };
    const alone = (): Made => this.#carryOut(planOf(), given, all);
    if (this.#group === null) return alone();
    return this.#plans.isLast
      ? this.#carryOutTogether(this.#group, planOf, given, all)
      : this.#group.add(alone);
  }

  /** Carries out a call that ends a round, with the other ranks of a group. */
  #carryOutTogether(
    group: StepGroup,
    planOf: () => CallPlan,
    given: readonly number[] | null,
    all: Together<A>,
  ): Made {
    const planned = () => {
      const plan = planOf();
      const possible = () => trainableOf(plan.updated);
      const samples = samplesOf(this.#options.samples, all);
      const task = all.map(taskOf).join(" ");
      return { plan, call: { key: plan, task, of: plan.of, possible, samples } };
    };
    return group.run(planned, ({ plan }, agreed) =>
      this.#carryOut(this.#plans.agreedOn(plan, agreed), given, all),
    );
  }

  #carryOut(call: CallPlan, given: readonly number[] | null, all: Together<A>): Made {
    if (call.last) this.#moving(call, () => this.#tracker.beforeCall(call.updated));
    const weighted = given !== null;
    if (weighted) this.#weights = given;
    const made =
      this.#verifier === null
        ? this.#ran(call, weighted, all)
        : this.#verified(this.#verifier, call, () => this.#ran(call, weighted, all));
    const { stepped, reached, outside } = made.about();
    this.#warnOfUnreached(call.trained, call.agreed === null ? reached : unite(reached, call.updated));
    this.#warnOfOutside(outside);
    for (let i = 0; i < made.grads.length; i++) stepped[i]!.grad = made.grads[i]!;
    this.#tracker.afterCall(stepped, all.length === 1 ? taskOf(all[0]!) : all.map(taskOf).join(" "));
    return made;
  }

  /** Runs a call, and moves on to the next one of the round. */
  #ran(...args: Recorded<A>): Made {
    const made = this.#run(...args);
    this.#plans.done(args[0], made.about().reached);
    return made;
  }

  /** Carries a call out, and makes sure that it moves nothing that is frozen in it, which ranks have alike. */
  #verified(verifier: Verifier, call: CallPlan, carryOut: () => Made): Made {
    const held = this.#moving(call, () => verifier.hold(call.updated));
    const ranks = call.agreed === null ? null : this.#group;
    if (ranks === null) {
      const made = carryOut();
      verifier.check(held);
      return made;
    }
    const shared = held.filter(({ isShared }) => isShared);
    ranks.compare(
      "What is frozen in this step",
      shared.map(({ what, before }) => [what, before ?? ""] as const),
    );
    const made = carryOut();
    ranks.confirm(() => verifier.check(held));
    return made;
  }

  /** Makes the update of a round that has not had all its calls; gives how many it had. */
  flush(): number {
    const { position } = this.#plans;
    const call = this.#plans.early();
    const group = this.#group;
    if (group !== null) {
      this.#heldTogether(
        true,
        () => {},
        () => this.#flushTogether(group, call),
      );
      return position;
    }
    // What has been frozen since loses what was summed for it, as in any round.
    if (call !== null && trainableOf(call.updated).size > 0) this.#held(() => this.#carryOut(call, null, []));
    else this.#round.discard();
    return position;
  }

  /** As `flush`; ranks that have made no call of the round come too, to learn that the others have not either. */
  #flushTogether(group: StepGroup, call: CallPlan | null): void {
    const possible = (): Regions => (call === null ? new Map() : trainableOf(call.updated));
    const planned = () => ({
      call: { key: call ?? this.#round, task: "", of: call?.of ?? 0, possible, samples: 1 },
    });
    group.run(planned, (_, agreed) => {
      if (call !== null && agreed.regions.size > 0)
        this.#carryOut(this.#plans.agreedOn(call, agreed), null, []);
      else this.#round.discard();
    });
  }

  /** What a call with these arguments would do. */
  explain(args: A): Explanation {
    const { module, optimizer } = this;
    return this.#held(() => {
      const selector = this.#selectorOf(args);
      let reached: Regions = new Map();
      let outside: readonly Parameter[] = [];
      const forward = (): (() => Plan) =>
        planned(() => {
          const loss = lossOf(callLoss(this.#options.loss, args));
          outside = outsideOf([loss], module, optimizer);
          return [loss.node];
        });
      const costOf = (set: TrainedSet): (() => Plan) => {
        reached = new Map();
        try {
          return planned(() => {
            const call = new CallPlan([set], set, new Map(), true, this.#accumulate);
            const made = this.#body(call, false, [args]);
            ({ reached, outside } = made.about());
            return made.losses.map(({ node }) => node);
          });
        } catch (error) {
          // A call that trains nothing throws; here it is said of each parameter why.
          if (error instanceof GradientError) return forward();
          throw error;
        }
      };
      const costOfAll = unfreeze(module, "**", () => costOf(this.#sets.all()));
      const cost = costOf(this.#sets.get(selector));
      const task = taskOf(args);
      const isShared = this.#group !== null;
      return explainCall({ module, optimizer, isShared, selector, task, reached, outside, cost, costOfAll });
    });
  }
}

/**
 * A function that gives a value: a parameter in a result would be one to compute. Made out here, where nothing of the
 * step is in reach, or the recording would hold on to its graph.
 */
const constant =
  <T>(value: T): (() => T) =>
  () =>
    value;
