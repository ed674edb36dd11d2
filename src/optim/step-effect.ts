import type { HostEffect } from "../engine/trace.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { ParamGroup } from "./param-group.ts";
import { numbersOf, type ParameterState, type StateTensor } from "./state.ts";
import type { AnyTransform } from "./transform.ts";

/** A parameter that a step updates: its group, its state, and the tensors the step added to that. */
export interface Stepped<O extends object> {
  readonly parameter: Parameter;
  readonly group: ParamGroup<O>;
  readonly state: ParameterState;
  readonly added: ReadonlyMap<string, StateTensor>;
}

/** How to put back what a step did to one state. */
interface Before {
  /** Whether the parameter had no state. */
  isNew: boolean;
  /** Tensors that the state did not have. */
  fresh: string[];
  readonly numbers: number[];
}

/** What a step changes on the host before its numbers are computed: state comes to be, steps are counted. */
export class StepEffect<O extends object> implements HostEffect {
  readonly #states: Map<Parameter, ParameterState>;
  readonly #stepped: readonly Stepped<O>[];
  readonly #advancing: readonly AnyTransform<O>[];
  readonly #numberNames: readonly (readonly string[])[];
  readonly #before: Before[];

  constructor(
    states: Map<Parameter, ParameterState>,
    stepped: readonly Stepped<O>[],
    chain: readonly AnyTransform<O>[],
  ) {
    this.#states = states;
    this.#stepped = stepped;
    this.#advancing = chain.filter((transform) => transform.advance);
    this.#numberNames = stepped.map(({ state }) =>
      Object.keys(state).filter((name) => typeof state[name] === "number"),
    );
    this.#before = stepped.map(() => ({ isNew: false, fresh: [], numbers: [] }));
  }

  apply(): void {
    for (const [i, { parameter, group, state, added }] of this.#stepped.entries()) {
      // Taken down anew each time: a replay that fails goes back to before the replay, not to the recording.
      const before = this.#before[i]!;
      before.isNew = !this.#states.has(parameter);
      for (const [n, name] of this.#numberNames[i]!.entries()) before.numbers[n] = state[name] as number;
      before.fresh = added.size === 0 ? [] : [...added.keys()].filter((name) => state[name] === undefined);
      for (const name of before.fresh) state[name] = added.get(name)!;
      if (before.isNew) this.#states.set(parameter, state);
      state.step++;
      for (const transform of this.#advancing) transform.advance!(numbersOf(state), group);
    }
  }

  undo(): void {
    for (const [i, { parameter, state }] of this.#stepped.entries()) {
      const { isNew, fresh, numbers } = this.#before[i]!;
      for (const [n, name] of this.#numberNames[i]!.entries()) state[name] = numbers[n]!;
      for (const name of fresh) delete state[name];
      if (isNew) this.#states.delete(parameter);
    }
  }
}
