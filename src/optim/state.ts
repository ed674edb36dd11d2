import { allocate, dtypes } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import { Resident } from "../engine/trace.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ParamGroup } from "./param-group.ts";
import type { AnyTransform, Node, Numbers } from "./transform.ts";

/** A tensor of an optimizer's state: reading it gives its present value. */
export class StateTensor extends Tensor {
  /** Where the value is. */
  readonly resident: Resident;

  constructor(resident: Resident) {
    super(resident.node);
    this.resident = resident;
  }

  override get node(): Node {
    return this.resident.node;
  }
  override set node(_: Node) {
    // The engine has computed the value: it is where it belongs already.
  }
}

/** One parameter's state as a plain object: its numbers, and its tensors by name. */
export type ParameterState = { step: number } & { [name: string]: number | StateTensor };

/** The dtype that state and updates of a parameter compute in. */
export const stateDtype = (p: Parameter) => (dtypes[p.dtype].compute ? p.dtype : "f32");

/** State of a parameter before its first step: numbers, and no tensors yet. */
export function makeState<O extends object>(
  chain: readonly AnyTransform<O>[],
  group: ParamGroup<O>,
): ParameterState {
  const state = { step: 0 } as ParameterState;
  for (const transform of chain) Object.assign(state, transform.numbers?.(group));
  return state;
}

/** Adds the tensors that a chain needs and the state does not have; gives the names of those it added. */
export function addTensors<O extends object>(
  state: ParameterState,
  chain: readonly AnyTransform<O>[],
  p: Parameter,
  group: ParamGroup<O>,
  on: (option: string) => boolean,
): string[] {
  const added: string[] = [];
  for (const transform of chain)
    for (const name of transform.tensors?.(on) ?? []) {
      if (state[name] !== undefined) continue;
      state[name] = makeTensor(p, name, transform.initial?.[name]?.(group) ?? 0);
      added.push(name);
    }
  return added;
}

/** A tensor of a parameter's shape, one value everywhere. It is not an assignment, which a replay would repeat. */
export function makeTensor(p: Parameter, name: string, value: number): StateTensor {
  const dtype = stateDtype(p);
  const data = value === 0 ? null : allocate(dtype, sizeOf(p.shape)).fill(value);
  const resident = new Resident(dtype, p.shape, data);
  resident.storage.label = `${p.label || "a parameter"} (${name})`;
  return new StateTensor(resident);
}

/** The numbers of a state. */
export const numbersOf = (state: ParameterState): Numbers => state as unknown as Numbers;
