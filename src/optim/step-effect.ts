import type { HostEffect } from "../engine/trace.ts";
import type { Part, Stepped } from "./part.ts";
import type { StatePolicies, Transition } from "./state-policy.ts";
import { numbersOf } from "./state-tensor.ts";
import type { States } from "./states.ts";
import type { AnyTransform } from "./transform.ts";

/** How to put back what a step did to one part. */
interface Before {
  /** Whether the part had no state. */
  isNew: boolean;
  /** Tensors that the state did not have. */
  fresh: readonly string[];
  readonly numbers: number[];
  lastUpdate: number;
}

const none: readonly never[] = [];

/** What a step changes on the host before its numbers are computed: state comes to be, steps are counted. */
export class StepEffect<O extends object> implements HostEffect {
  readonly #states: States;
  readonly #policies: StatePolicies<O>;
  readonly #stepped: readonly Stepped<O>[];
  readonly #parts: ReadonlySet<Part>;
  readonly #advancing: readonly AnyTransform<O>[];
  readonly #numberNames: readonly (readonly string[])[];
  readonly #before: Before[];
  #transitions: readonly Transition[] = none;

  constructor(
    states: States,
    policies: StatePolicies<O>,
    stepped: readonly Stepped<O>[],
    chain: readonly AnyTransform<O>[],
  ) {
    this.#states = states;
    this.#policies = policies;
    this.#stepped = stepped;
    this.#parts = new Set(stepped.map(({ part }) => part));
    this.#advancing = chain.filter((transform) => transform.advance);
    this.#numberNames = stepped.map(({ part: { state } }) =>
      Object.keys(state).filter((name) => typeof state[name] === "number"),
    );
    this.#before = stepped.map(() => ({ isNew: false, fresh: [], numbers: [], lastUpdate: 0 }));
  }

  apply(): void {
    const states = this.#states;
    for (let i = 0; i < this.#stepped.length; i++) {
      const { part, added } = this.#stepped[i]!;
      // Before its first step too, as Adagrad's state can be: what was copied then is out of date after it. And before
      // its numbers are taken down: a state that is not to be had back starts anew, whether or not the step fails.
      part.offloaded?.restore();
      // Taken down anew each time: a replay that fails goes back to before the replay, not to the recording.
      const before = this.#before[i]!;
      const { state } = part;
      before.isNew = !states.has(part);
      before.lastUpdate = part.lastUpdate;
      const names = this.#numberNames[i]!;
      for (let n = 0; n < names.length; n++) before.numbers[n] = state[names[n]!] as number;
      before.fresh = added.size === 0 ? none : [...added.keys()].filter((name) => state[name] === undefined);
    }
    // Nothing has changed yet if this throws.
    this.#transitions = this.#policies.transitions(states, this.#stepped, this.#parts);
    states.updates++;
    for (let i = 0; i < this.#stepped.length; i++) {
      const { part, group, added } = this.#stepped[i]!;
      const { state } = part;
      for (const name of this.#before[i]!.fresh) state[name] = added.get(name)!;
      if (this.#before[i]!.isNew) states.add(part);
      part.running = true;
      part.lastUpdate = states.updates;
      state.step++;
      for (const transform of this.#advancing) transform.advance!(numbersOf(state), group);
    }
  }

  undo(): void {
    for (const [i, { part }] of this.#stepped.entries()) {
      const { isNew, fresh, numbers, lastUpdate } = this.#before[i]!;
      for (const [n, name] of this.#numberNames[i]!.entries()) part.state[name] = numbers[n]!;
      for (const name of fresh) delete part.state[name];
      part.lastUpdate = lastUpdate;
      part.running = false;
      if (isNew) this.#states.delete(part);
      // The next step makes tensors of its own.
      else if (fresh.length > 0) this.#states.outdate();
    }
    this.#states.updates--;
    for (const transition of [...this.#transitions].reverse()) transition.undo();
    this.#transitions = none;
  }

  done(): void {
    for (let i = 0; i < this.#stepped.length; i++) this.#stepped[i]!.part.running = false;
    for (let i = 0; i < this.#transitions.length; i++) this.#transitions[i]!.done();
    this.#transitions = none;
  }
}
