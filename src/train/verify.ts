import { FreezeError } from "../base/errors.ts";
import { callSiteOf } from "../engine/call-site.ts";
import { commit } from "../engine/realize.ts";
import { type Resident, watchAssignments } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import { StateTensor } from "../optim/state-tensor.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { hashOf } from "../tensor/pieces.ts";
import { frozenOf } from "./frozen.ts";
import type { StepOptimizer } from "./step-optimizer.ts";

/** Something that a call must leave as it is, and what it was before. */
export interface Held {
  readonly what: string;
  /** Whether ranks of a group must have it alike; buffers are each rank's own. */
  readonly isShared: boolean;
  readonly resident: Resident | null;
  /** What it is now, hashed; null where it is gone, as a state that a policy drops. */
  readonly now: () => string | null;
  readonly before: string | null;
}

/** Who assigned what last: one watch for all verifiers, which ends when nothing refers to any of them. */
const writers = new WeakMap<Resident, string>();
let verifiers = 0;
let unwatch = (): void => {};
const collected = new FinalizationRegistry<null>(() => {
  if (--verifiers === 0) unwatch();
});

/** Makes sure that calls of a step leave every bit of what they freeze as it is. */
export class Verifier {
  readonly #module: Module;
  readonly #optimizer: StepOptimizer;
  #calls = 0;

  constructor(module: Module, optimizer: StepOptimizer) {
    this.#module = module;
    this.#optimizer = optimizer;
    collected.register(this, null);
    if (++verifiers === 1)
      unwatch = watchAssignments((resident, _, writer) => {
        writers.set(resident, `${writer ?? "a direct write"}${callSite()}`);
      });
  }

  /** What a call that updates so much must leave as it is, as it is before the call. */
  hold(updated: Regions): readonly Held[] {
    this.#calls++;
    // What was written before the call is not the call's doing.
    commit();
    return this.#held(updated);
  }

  /** Throws `FreezeError` where something that was held has moved. */
  check(held: readonly Held[]): void {
    for (const { what, resident, now, before } of held) {
      const after = now();
      if (after === null || after === before) continue;
      const writer = resident === null ? undefined : writers.get(resident);
      throw new FreezeError(
        `${what} is frozen in call ${this.#calls} of this step, and the call has changed its bits. ` +
          `It was written by ${writer ?? "something that thaw did not see"}. ` +
          "Name it in trains if it is to be trained, or take the write out of the step.",
      );
    }
  }

  #held(updated: Regions): Held[] {
    const held: Held[] = [];
    const hold = (
      what: string,
      resident: Resident | null,
      now: () => string | null,
      isShared = true,
    ): void => {
      held.push({ what, isShared, resident, now, before: now() });
    };
    const known = new Set<Parameter>(this.#optimizer.parameters());
    for (const [path, p] of this.#module.namedParameters()) {
      const frozen = frozenOf(p, updated);
      if (frozen === "none") continue;
      hold(`${path}${frozen?.text ?? ""}`, p.resident, () => hashOf(p.resident.storage, frozen));
      if (!known.has(p)) continue;
      for (const { region, state } of this.#optimizer.residentParts(p)) {
        if (frozen !== null && (region === null || !frozen.contains(region))) continue;
        const there = (): boolean => this.#optimizer.residentParts(p).some((part) => part.state === state);
        const of: Readonly<Record<string, unknown>> = { ...state };
        for (const [name, value] of Object.entries(of)) {
          const resident = value instanceof StateTensor ? value.resident : null;
          const hash = (): string =>
            resident === null ? String((state as typeof of)[name]) : hashOf(resident.storage, null);
          hold(`The optimizer's ${name} of ${path}${region?.text ?? ""}`, resident, () =>
            there() ? hash() : null,
          );
        }
      }
    }
    for (const [path, { frozen, frozenRegion, resident }] of this.#module.namedBuffers())
      if (frozen || frozenRegion)
        hold(
          path + (frozenRegion?.text ?? ""),
          resident,
          () => hashOf(resident.storage, frozenRegion),
          false,
        );
    return held;
  }
}

/** The line outside of thaw that has led here, as ` at file:line`. */
function callSite(): string {
  const { stackTraceLimit } = Error;
  // The lines of thaw itself can be more than the ten that engines keep.
  Error.stackTraceLimit = 50;
  const { place } = callSiteOf(new Error().stack ?? "");
  Error.stackTraceLimit = stackTraceLimit;
  return place === null ? "" : ` at ${place.replace(/:\d+$/, "")}`;
}
