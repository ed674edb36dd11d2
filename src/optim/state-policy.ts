import { allocate } from "../base/dtype.ts";
import { ArgumentError, CaptureError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { sizeOf } from "../base/shape.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Offload } from "./offload.ts";
import type { ParamGroup } from "./param-group.ts";
import type { Part, Stepped } from "./part.ts";
import { makeState, startOf } from "./state.ts";
import { type ResidentState, StateTensor } from "./state-tensor.ts";
import type { States } from "./states.ts";
import type { AnyTransform } from "./transform.ts";

/** What becomes of a parameter's optimizer state while updates leave the parameter out. */
export interface StatePolicy {
  /**
   * `"keep"` (the default): it stays, untouched. `"reset"`: when the parameter is trained again it starts anew.
   * `"drop"`: as reset, and its memory is free meanwhile. `{ decay }`: its averages come back `decay` ^ updates
   * missed times as far from where they started. `"offload"`: it waits outside the backend's memory and comes back
   * bit for bit; `{ offload: directory }`: in a file there.
   */
  state?: "keep" | "reset" | "drop" | "offload" | { decay: number } | { offload: string };
  /** Updates in which the rate rises linearly again to its full size, each time the parameter is thawed; default 0. */
  rewarm?: number;
}

/** A change of state that a step brings with it: undone if the step fails, finished when it has been carried out. */
export interface Transition {
  undo(): void;
  done(): void;
}

const nothing = (): void => {};
const none: readonly never[] = [];

/** The policies of an optimizer, by parameter. */
export class StatePolicies<O extends object> {
  readonly #chain: readonly AnyTransform<O>[];
  readonly #of = new Map<Parameter, StatePolicy>();

  readonly #groupOf: (parameter: Parameter) => ParamGroup<O>;

  constructor(chain: readonly AnyTransform<O>[], groupOf: (parameter: Parameter) => ParamGroup<O>) {
    this.#chain = chain;
    this.#groupOf = groupOf;
  }

  set(parameters: Iterable<Parameter>, policy: StatePolicy): void {
    checkPolicy(policy);
    for (const p of parameters) this.#of.set(p, policy);
  }

  /** What was said of a parameter; nothing: its state stays. */
  of(parameter: Parameter): StatePolicy | undefined {
    return this.#of.get(parameter);
  }

  /** How many updates the rate of a parameter takes to rise again. */
  rewarm(parameter: Parameter): number {
    return this.#of.get(parameter)?.rewarm ?? 0;
  }

  /** Carries out what an update brings for parts it takes up again, and prepares it for those it leaves. */
  transitions(
    states: States,
    stepped: readonly Stepped<O>[],
    parts: ReadonlySet<Part>,
  ): readonly Transition[] {
    if (this.#of.size === 0) return none;
    const made: Transition[] = [];
    try {
      for (const [parameter, policy] of this.#of)
        if (frees(policy))
          // What an earlier step of the same captured function steps is not there yet, to be freed or copied.
          for (const part of states.of(parameter))
            if (!parts.has(part) && !part.dropped && part.offloaded === null && !part.running)
              made.push(this.#leave(states, part, policy));
      for (const { part, group } of stepped) {
        if (part.dropped) made.push(wake(states, part));
        const policy = this.#of.get(part.parameter);
        const missed = states.updates - part.lastUpdate;
        if (policy === undefined || missed === 0) continue;
        if (part.running && changesOnReturn(policy))
          throw new CaptureError(
            `The optimizer steps ${part.parameter.label || "a parameter"}, leaves it out and steps it again in one captured function, ` +
              "which its state policy cannot be applied to in between; capture the steps apart.",
          );
        made.push(this.#enter(part, group, policy, missed));
      }
    } catch (error) {
      for (const transition of made.reverse()) transition.undo();
      throw error;
    }
    return made;
  }

  #leave(states: States, part: Part, { state }: StatePolicy): Transition {
    if (state === "drop")
      return { undo: nothing, done: () => this.#drop(states, part, this.#groupOf(part.parameter)) };
    const directory = typeof state === "object" && "offload" in state ? state.offload : null;
    const offload = new Offload(part, directory, () => this.#clear(part, this.#groupOf(part.parameter)));
    return { undo: () => offload.discard(), done: () => offload.leave() };
  }

  /** Lets go of a state: what is left takes no memory. */
  #drop(states: States, part: Part, group: ParamGroup<O>): void {
    this.#clear(part, group);
    states.setDropped(part, true);
  }

  /** Has a state be as at the start, outside the backend's memory. */
  #clear(part: Part, group: ParamGroup<O>): void {
    const { state } = part;
    const start = startOf(this.#chain);
    for (const [name, value] of Object.entries(state)) {
      if (!(value instanceof StateTensor)) continue;
      const { dtype, shape, storage } = value.resident;
      const origin = start(name, group);
      storage.park(origin === 0 ? null : allocate(dtype, sizeOf(shape)).fill(origin));
      storage.version++;
    }
    Object.assign(state, makeState(this.#chain, group));
  }

  #enter(
    part: Part,
    group: ParamGroup<O>,
    { state = "keep", rewarm = 0 }: StatePolicy,
    missed: number,
  ): Transition {
    const { thawedAt } = part;
    const isFresh = part.state.step === 0;
    const restore = isFresh ? nothing : this.#bringBack(part, group, state, missed);
    if (rewarm > 0) part.thawedAt = part.state.step;
    const undo = (): void => {
      restore();
      part.thawedAt = thawedAt;
    };
    return { undo, done: nothing };
  }

  /** Makes a state what its parameter goes on with; gives the way back. */
  #bringBack(
    part: Part,
    group: ParamGroup<O>,
    state: NonNullable<StatePolicy["state"]>,
    missed: number,
  ): () => void {
    if (state === "reset" || state === "drop") return this.#restart(part, group, 0);
    if (typeof state === "object" && "decay" in state)
      return this.#restart(part, group, state.decay ** missed);
    return nothing;
  }

  /** Draws a state's tensors towards where they started: of the way they have come, `kept` is left. */
  #restart({ state }: Part, group: ParamGroup<O>, kept: number): () => void {
    const start = startOf(this.#chain);
    const before = { ...state } as ResidentState;
    const bits: (readonly [StateTensor, ReturnType<StateTensor["resident"]["storage"]["read"]>])[] = [];
    for (const [name, value] of Object.entries(state)) {
      if (!(value instanceof StateTensor)) continue;
      const { storage } = value.resident;
      const old = storage.read();
      bits.push([value, old]);
      const origin = start(name, group);
      storage.overwrite(kept === 0 ? old.slice().fill(origin) : old.map((x) => origin + (x - origin) * kept));
    }
    if (kept === 0) Object.assign(state, makeState(this.#chain, group));
    return () => {
      Object.assign(state, before);
      for (const [tensor, old] of bits) tensor.resident.storage.overwrite(old);
    };
  }
}

/** Gives a part that was dropped its state again. */
function wake(states: States, part: Part): Transition {
  states.setDropped(part, false);
  return { undo: () => states.setDropped(part, true), done: nothing };
}

/** Whether a policy makes another state of the one that a parameter comes back to. */
const changesOnReturn = ({ state }: StatePolicy): boolean =>
  state === "reset" || (typeof state === "object" && "decay" in state);

/** Whether a policy takes the state out of memory while the parameter is frozen. */
const frees = ({ state }: StatePolicy): boolean =>
  state === "drop" || state === "offload" || (typeof state === "object" && "offload" in state);

function checkPolicy(policy: StatePolicy): void {
  refuseOptions("The state policy", policy, { state: null, rewarm: null });
  const { state = "keep", rewarm = 0 } = policy;
  const isKnown =
    typeof state === "object" && state !== null
      ? "decay" in state || "offload" in state
      : ["keep", "reset", "drop", "offload"].includes(state);
  if (!isKnown)
    throw new ArgumentError(
      `The state policy is ${JSON.stringify(state)}; there are "keep", "reset", "drop", "offload", { decay } and { offload: directory }`,
    );
  if (typeof state === "object" && "decay" in state && !(state.decay >= 0 && state.decay <= 1))
    throw new ArgumentError(`The state policy's decay is ${state.decay}; it must be a number from 0 to 1`);
  if (!Number.isInteger(rewarm) || rewarm < 0)
    throw new ArgumentError(
      `The state policy's rewarm is ${rewarm}; it must be a whole number of updates, of at least 0`,
    );
}
