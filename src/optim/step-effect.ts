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

/** What a step changes on the host before its numbers are computed: state comes to be, steps are counted. */
export class StepEffect<O extends object> implements HostEffect {
  readonly #states: Map<Parameter, ParameterState>;
  readonly #stepped: readonly Stepped<O>[];
  readonly #chain: readonly AnyTransform<O>[];
  #undo: (() => void)[] = [];

  constructor(
    states: Map<Parameter, ParameterState>,
    stepped: readonly Stepped<O>[],
    chain: readonly AnyTransform<O>[],
  ) {
    this.#states = states;
    this.#stepped = stepped;
    this.#chain = chain;
  }

  apply(): void {
    this.#undo = [];
    for (const one of this.#stepped) {
      const { parameter, group, state } = one;
      this.#remember(one);
      this.#states.set(parameter, state);
      for (const [name, tensor] of one.added) state[name] ??= tensor;
      state.step++;
      for (const transform of this.#chain) transform.advance?.(numbersOf(state), group);
    }
  }

  undo(): void {
    for (const undo of this.#undo) undo();
    this.#undo = [];
  }

  /** Notes how to put a state back, which a replay must do as it was before the replay, not the recording. */
  #remember({ parameter, state, added }: Stepped<O>): void {
    const numbers = Object.entries(state).filter(([, value]) => typeof value === "number");
    const isNew = !this.#states.has(parameter);
    const fresh = [...added.keys()].filter((name) => state[name] === undefined);
    this.#undo.push(() => {
      Object.assign(state, Object.fromEntries(numbers));
      for (const name of fresh) delete state[name];
      if (isNew) this.#states.delete(parameter);
    });
  }
}
