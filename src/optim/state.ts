import { allocate, type TypedArray } from "../base/dtype.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import { Resident } from "../engine/trace.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import type { ParamGroup } from "./param-group.ts";
import { type Part, partShape } from "./part.ts";
import { type ResidentState, StateTensor, stateDtype } from "./state-tensor.ts";
import type { AnyTransform } from "./transform.ts";

/** State of a parameter before its first step: numbers, and no tensors yet. */
export function makeState<O extends object>(
  chain: readonly AnyTransform<O>[],
  group: ParamGroup<O>,
): ResidentState {
  const state = { step: 0 } as ResidentState;
  for (const transform of chain) Object.assign(state, transform.numbers?.(group));
  return state;
}

/** What a state tensor starts from. */
type Start<O extends object> = (name: string, group: ParamGroup<O>) => number;

/** What the tensors of a chain's states start from: 0, where the chain does not say otherwise. */
export const startOf =
  <O extends object>(chain: readonly AnyTransform<O>[]): Start<O> =>
  (name, group) => {
    for (const transform of chain) {
      const start = transform.initial?.[name];
      if (start !== undefined) return start(group);
    }
    return 0;
  };

/** Adds the tensors that a chain needs and a part's state does not have; gives the names of those it added. */
export function addTensors<O extends object>(
  { parameter, region, state }: Part,
  chain: readonly AnyTransform<O>[],
  group: ParamGroup<O>,
  on: (option: string) => boolean,
): string[] {
  const added: string[] = [];
  for (const transform of chain)
    for (const name of transform.tensors?.(on) ?? []) {
      if (state[name] !== undefined) continue;
      state[name] = makeTensor(parameter, region, name, startOf(chain)(name, group));
      added.push(name);
    }
  return added;
}

/** A tensor of a part's shape, one value everywhere. It is not an assignment, which a replay would repeat. */
export function makeTensor(
  p: Parameter,
  region: Region | null,
  name: string,
  value: number | TypedArray,
): StateTensor {
  const dtype = stateDtype(p);
  const shape = partShape(p, region);
  const data =
    typeof value !== "number" ? value : value === 0 ? null : allocate(dtype, sizeOf(shape)).fill(value);
  const resident = new Resident(dtype, shape, data);
  resident.storage.label = `${p.label || "a parameter"}${region?.text ?? ""} (${name})`;
  return new StateTensor(resident);
}

/** A state tensor of a shape, with the bits that another has in a region of it. */
export function sliceOf({ resident }: StateTensor, region: Region, shape: Shape): StateTensor {
  const bits = resident.storage.read();
  const slice = new Resident(resident.dtype, shape, pick(bits, region.flat()));
  slice.storage.label = resident.storage.label;
  return new StateTensor(slice);
}

/** Some elements of an array. */
export function pick(from: TypedArray, indices: Int32Array): TypedArray {
  const picked = from.slice(0, indices.length);
  for (const [i, at] of indices.entries()) picked[i] = from[at]!;
  return picked;
}
