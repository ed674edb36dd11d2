import type { DType } from "../base/dtype.ts";
import { errorText } from "../base/error-text.ts";
import { ArgumentError, GroupError, RankError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { isCheckingFinite } from "../engine/finite.ts";
import { addCheck, currentTrace, hostScalar } from "../engine/trace.ts";
import { reshape } from "../ir/build.ts";
import type { Collective, Given, Transfer } from "../ir/collective.ts";
import { node } from "../ir/node.ts";
import type { Regions } from "../optim/accumulate.ts";
import type { GradientTransform } from "../optim/gradient-transform.ts";
import type { Node } from "../optim/transform.ts";
import { noGrad } from "../tensor/autograd.ts";
import { getRandomState } from "../tensor/draws.ts";
import { eq, full, like, not } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { withRanks } from "../tensor/ranks-of-step.ts";
import { type Agreed, Agreements, type Proposal } from "./agreement.ts";
import { drawnMark, isAlike, leftOutMark } from "./alike.ts";
import { averaged } from "./averaged.ts";
import { type Described, describeList } from "./contribution.ts";
import { type Engine, Interrupted, interruptions } from "./engine.ts";
import { type InCommon, meetFirst } from "./first-meeting.ts";
import { gatherTexts } from "./gather-texts.ts";
import { alsoFailed, failedRanks } from "./interruption.ts";
import type { Met } from "./met.ts";
import { refuseUnlike } from "./refuse-unlike.ts";
import type { UpdatedBy } from "./told-options.ts";

/** What a step tells its group of itself. */
export interface StepGroupSettings extends InCommon, UpdatedBy {
  readonly parameters: () => Iterable<Parameter>;
  /** Whether a gradient is the mean over all ranks, or over those that have one, or by the samples of each. */
  readonly average: "ranks" | "used" | "samples";
  /** Whether values that differ at the start are an error, or rank 0's are taken. */
  readonly start: "same" | "broadcast";
  /** What is frozen on some ranks only: an error, or no gradient of it from those. */
  readonly frozenAlone: "error" | "withhold";
  /** Of how many MiB gradients are that go to the other ranks together, at most. */
  readonly bucketCapMb: number;
  /** Whether checks come to be after gradients have been summed. */
  readonly checksLater: boolean;
}

/** A call that makes an update, as its step knows it. */
export interface StepCall {
  /** What it does on this rank: the same object wherever that is the same. */
  readonly key: object;
  /** What it is called: two of one key may reach different parameters. */
  readonly task: string;
  /** Calls that its update is the mean of. */
  readonly of: number;
  /** What it can have gradients of. */
  readonly possible: () => Regions;
  /** By how much its gradients weigh in a mean by samples. */
  readonly samples: number;
}

/** Thrown where a call's losses reach something else than was expected: it is agreed on anew, and made again. */
class Unexpected extends Error {
  readonly expected: Expected;
  constructor(expected: Expected) {
    super("a loss reaches other parameters than before, or by other layers, or a hook leaves out others");
    this.expected = expected;
  }
}

/** What a call is expected to have gradients of, and to do that all ranks must do alike. */
type Expected = Pick<Proposal, "regions" | "alike">;

/** Thrown by a check on this rank where it was one on another that has failed. */
class FailedElsewhere extends RankError {}

/** When sums of a step come: after those that losses and their gradients are made of. */
const turns = { buckets: 1e6, guard: 2e6, lastGuard: 3e6 } as const;

/** Tasks of one set that are told apart at a time. */
const remembered = 1024;

/**
 * One step of a group: has the ranks agree on what each call updates, puts the sums of gradients into its graph, and sees
 * to it that a call which fails on one rank fails on all, before anything is written.
 */
export class StepGroup {
  readonly #engine: Engine;
  readonly #settings: StepGroupSettings;
  readonly #agreements: Agreements;
  readonly #met: Met;
  /** What calls have reached, by what they do, what they are called and what is frozen. */
  readonly #reached = new WeakMap<object, Map<string, Expected>>();
  /** What this rank gives gradients of in the present recording. */
  #given: Regions = new Map();
  /** Paths of the layers that sum over ranks in the losses of the present recording. */
  #layers: string[] = [];
  readonly #sums: Collective;
  /** A sum whose last element says how many ranks' checks have failed. */
  readonly #guarded: Collective;
  #hasMet = false;
  #updates = 0;
  /** Of the present call: guarded sums that are done, and whether one has said that a check has failed. */
  #guards = 0;
  #refused = false;
  /** How much the present call's gradients weigh. */
  #samples = 1;
  /** Checks that the sums of the present recording look at. */
  #checks = 0;
  /** Of the present call: whether all ranks know already what it has failed by. */
  #isKnown = false;
  /** Whether it has been found in the present call what this rank does that all must do alike. */
  #hasLooked = false;

  constructor(engine: Engine, step: number, settings: StepGroupSettings, met: Met) {
    this.#engine = engine;
    const facts = { "the step that is called, of those that trainStep has made,": `number ${step}` };
    this.#settings = { ...settings, facts: { ...facts, ...settings.facts } };
    this.#met = met;
    this.#agreements = new Agreements(engine, step, settings, met);
    const begin = (given: Given): Transfer => {
      engine.note("the sum of gradients of step", this.#updates);
      const { poll, finish } = this.#withAll(() => engine.begin("a sum of gradients", given));
      return { poll: () => this.#withAll(poll), finish: () => this.#withAll(finish) };
    };
    const release = (): void => this.#withAll(() => engine.release("a sum of gradients"));
    const { rank, size } = engine;
    this.#sums = { id: idOf(this), rank, size, begin, release };
    this.#guarded = {
      ...this.#sums,
      id: idOf(this.#sums),
      begin: (given) => {
        const { poll, finish } = begin(given);
        return { poll, finish: () => this.#finishGuard(given, finish) };
      },
    };
  }

  /** Ends an exchange of words that say whether a check has failed. */
  #finishGuard({ parts, takes }: Given, finish: () => void): void {
    finish();
    this.#guards++;
    const words = [parts[0]!, ...takes.flatMap(([word]) => word ?? [])];
    if (words.some((word) => word.bytes().some((byte) => byte !== 0))) this.#refused = true;
  }

  /** Whether what is frozen on this rank alone moves by the gradients of the others. */
  get withholds(): boolean {
    return this.#settings.frozenAlone === "withhold";
  }

  /**
   * Carries a call out together with the other ranks; `plan` gives it, `carryOut` makes it. Where it fails on a rank,
   * it throws on all, and nothing is written on any.
   */
  run<C, T>(plan: () => C & { readonly call: StepCall }, carryOut: (planned: C, agreed: Agreed) => T): T {
    this.#engine.note("step", ++this.#updates);
    if (!this.#hasMet) {
      const { start } = this.#settings;
      this.#settle(() =>
        this.#withAll(() => meetFirst(this.#engine, this.#settings, start === "broadcast", this.#met)),
      );
      this.#hasMet = true;
    }
    this.#hasLooked = false;
    for (;;) {
      let made: { readonly value: T } | null = null;
      this.#settle(() => {
        const planned = plan();
        made = { value: this.#attempt(planned, carryOut) };
      });
      if (made !== null) {
        this.#engine.note("what follows step", this.#updates);
        return (made as { readonly value: T }).value;
      }
    }
  }

  /**
   * Carries out a call that only adds to this rank's sums: the others have no part in it. Where it fails, they are told
   * where they next meet this rank, and throw as well.
   */
  add<T>(carryOut: () => T): T {
    let made: { readonly value: T } | null = null;
    this.#settle(() => {
      made = { value: carryOut() };
    });
    return made!.value;
  }

  /** Tells the other ranks of a call that this one has refused before it came to meet them; throws the refusal. */
  refuse(error: unknown, isUpdate: boolean): void {
    if (isUpdate) this.#updates++;
    this.#settle(() => {
      throw error;
    });
  }

  #attempt<C, T>(planned: C & { readonly call: StepCall }, carryOut: (planned: C, agreed: Agreed) => T): T {
    if (isCheckingFinite())
      throw new ArgumentError(
        "trainStep: detectAnomaly() looks at one rank's values; in a group give finite: true, which says where a NaN came from",
      );
    const { key, task, of, possible, samples } = planned.call;
    this.#samples = samples;
    const name = `${task}\n${this.#agreements.frozen.key}`;
    let known = this.#reached.get(key);
    if (known === undefined) this.#reached.set(key, (known = new Map()));
    let expected = known.get(name);
    if (expected === undefined) {
      if (known.size >= remembered) known.clear();
      known.set(name, (expected = { regions: possible(), alike: null }));
    }
    let agreed: Agreed | null = null;
    for (;;) {
      const proposal = { ...expected, of, isFresh: this.#hasLooked };
      agreed = this.#withAll(() => this.#agreements.on(proposal));
      if (agreed !== null) break;
      if (!this.#hasLooked) known.set(name, (expected = { ...expected, alike: null }));
    }
    try {
      return carryOut(planned, agreed);
    } catch (error) {
      if (error instanceof Unexpected) {
        known.set(name, error.expected);
        this.#hasLooked = error.expected.alike !== null;
      }
      throw error;
    }
  }

  /** Does something of the group's. A `GroupError` of it is thrown on all ranks: there is nothing to tell. */
  #withAll<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof GroupError) this.#isKnown = true;
      throw error;
    }
  }

  get #guardsOfACall(): number {
    return this.#settings.checksLater ? 2 : 1;
  }

  /**
   * Does something that all ranks do. Where it fails on one, all come to know, and it throws on all; where one only asks
   * for another try, it gives nothing.
   */
  #settle(work: () => void): void {
    this.#guards = 0;
    this.#refused = false;
    this.#isKnown = false;
    try {
      work();
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error: unknown): void {
    const engine = this.#engine;
    const interrupted = error instanceof Interrupted;
    const own = interrupted || error instanceof FailedElsewhere || error instanceof Unexpected ? null : error;
    if (this.#isKnown) throw error;
    if (!interrupted && !this.#refused) {
      if (this.#guards >= this.#guardsOfACall) {
        engine.abort(
          `rank ${engine.rank} has failed in step ${this.#updates}, after the others had finished it: ${errorText(error)}`,
        );
        throw error;
      }
      try {
        engine.interrupt(own === null ? interruptions.again : interruptions.failed);
      } catch (failure) {
        // The group has come to its end before; what this rank has to say comes first.
        throw own ?? failure;
      }
    }
    const failed = failedRanks(engine, own === null ? "" : errorText(own));
    const [first] = failed;
    if (first === undefined) return;
    if (own !== null) throw own;
    const { rank, text } = first;
    throw new RankError(
      `rank ${rank}${alsoFailed(failed)} has failed in step ${this.#updates}, so nothing was updated on any rank: ${text}`,
      { rank },
    );
  }

  /**
   * Compares what all ranks must have alike, each as its name and a hash. Throws `GroupError` on all of them where they
   * differ, which names both.
   */
  compare(what: string, members: readonly (readonly [name: string, hash: string])[]): void {
    this.#withAll(() => refuseUnlike(this.#engine, what, members));
  }

  /** Tells the other ranks how a check of what has been done went on this one. Throws on all where it failed on one. */
  confirm(check: () => void): void {
    let own: unknown = null;
    try {
      check();
    } catch (error) {
      own = error;
    }
    const texts = this.#withAll(() =>
      gatherTexts(this.#engine, "a step", own === null ? "" : errorText(own)),
    );
    const rank = texts.findIndex((text) => text !== "");
    if (rank < 0) return;
    this.#isKnown = true;
    throw (
      own ??
      new RankError(`rank ${rank} has failed in step ${this.#updates}, after its update: ${texts[rank]}`, {
        rank,
      })
    );
  }

  /** By how much this rank's gradients weigh; null: as much as any other's. */
  get #weight(): ((dtype: DType) => Node) | null {
    return this.#settings.average === "samples" ? (dtype) => hostScalar(() => this.#samples, dtype) : null;
  }

  /** Computes losses, whose layers may sum over ranks, unless that is to be refused. */
  computing<T>(losses: () => T, refusal: string | null): T {
    this.#layers = [];
    const { module } = this.#settings;
    const note = (layer: object | null, what: string): void => {
      if (refusal !== null) throw new ArgumentError(`${what}: ${refusal}`);
      if (layer === null) return void this.#layers.push(what);
      const [path] = module.namedModules().find(([, each]) => each === layer) ?? [
        "one outside of the module",
      ];
      this.#layers.push(path);
    };
    return withRanks({ by: this.#sums, weight: this.#weight, turn: 0, note }, losses);
  }

  /**
   * A stage that puts sums over all ranks in the place of gradients, which are of `own` on this one. Where a hook sees
   * them, what it leaves out is looked at with the rest, in `hooked`.
   */
  stage(agreed: Agreed, own: Regions, hasHook: boolean): GradientTransform {
    return {
      name: "allReduce",
      apply: (gradients) => {
        const { contributions } = this.#agreements;
        this.#checks = 0;
        this.#given = new Map([...own].filter(([p]) => gradients.has(p)));
        const alike = hasHook ? null : describeList(this.#layers);
        if (contributions.describe(this.#given).text !== agreed.own.text)
          throw new Unexpected({ regions: this.#given, alike });
        if (alike !== null) this.#requireAlike(alike, agreed);
        return noGrad(() => {
          const means = averaged(agreed, gradients, own, {
            ...this.#settings,
            by: this.#sums,
            firstTurn: turns.buckets,
            weight: this.#weight,
          });
          if (means.size > 0) this.#guard(turns.guard);
          return means;
        });
      },
    };
  }

  /**
   * As a stage of a step, a hook that sees sums over all ranks, which must do the same on each: leave out the same
   * parameters, and draw the same random numbers, if any.
   */
  hooked({ name, apply }: GradientTransform, agreed: Agreed): GradientTransform {
    return {
      name,
      apply: (gradients) => {
        const { drawn } = getRandomState();
        const next = apply(gradients);
        const after = getRandomState();
        const draws = after.drawn === drawn ? [] : [`${drawnMark}${after.seed}`];
        const { contributions } = this.#agreements;
        const leftOut = [...gradients.keys()]
          .filter((p) => !next.has(p))
          .map((p) => `${contributions.nameOf(p)}${leftOutMark}`);
        this.#requireAlike(describeList([...this.#layers, ...leftOut, ...draws]), agreed);
        return next;
      },
    };
  }

  /** Has the call agreed on anew where it does something else than other ranks, or than it did before. */
  #requireAlike(alike: Described, agreed: Agreed): void {
    if (!isAlike(alike, agreed.alike)) throw new Unexpected({ regions: this.#given, alike });
  }

  /** A sum that tells whether a check has failed anywhere, of those that there are so far. */
  #guard(turn: number): void {
    const { checks } = currentTrace();
    const failed = checks
      .slice(this.#checks)
      .map(({ status }) => like(not(eq(status, 0)), [], "i32", "group"))
      .reduce((a, b) => node("max", [a, b], {}), full([], 0, "i32"));
    const count = reshape(node("allReduce", [failed], { by: this.#guarded, turn }), []);
    const status = like(not(eq(count, 0)), [], "i32", "group");
    addCheck(status, () => new FailedElsewhere("a check has failed on another rank"));
    this.#checks = checks.length;
  }

  /** Has checks that came to be since gradients were summed fail on all ranks too. */
  seal(): void {
    if (this.#settings.checksLater) noGrad(() => this.#guard(turns.lastGuard));
  }
}
