import { allocate, type TypedArray } from "../base/dtype.ts";
import { type Shape, sameShape, sizeOf } from "../base/shape.ts";
import { Resident } from "../engine/trace.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
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

/** The shape of a state tensor of a part of a shape. */
export function stateShape<O extends object>(
  chain: readonly AnyTransform<O>[],
  name: string,
  shape: Shape,
): Shape {
  for (const transform of chain) {
    const own = transform.shapes?.[name];
    if (own !== undefined) return own(shape);
  }
  return shape;
}

/** Adds the tensors that a chain needs and a part's state does not have; gives the names of those it added. */
export function addTensors<O extends object>(
  { parameter, region, state }: Part,
  chain: readonly AnyTransform<O>[],
  group: ParamGroup<O>,
  on: (option: string) => boolean,
): string[] {
  const added: string[] = [];
  const shape = partShape(parameter, region);
  for (const transform of chain)
    for (const name of transform.tensors?.(on, shape) ?? []) {
      if (state[name] !== undefined) continue;
      const start = startOf(chain)(name, group);
      state[name] = makeTensor(parameter, region, name, stateShape(chain, name, shape), start);
      added.push(name);
    }
  return added;
}

/** A tensor of a part's state, one value everywhere. It is not an assignment, which a replay would repeat. */
export function makeTensor(
  p: Parameter,
  region: Region | null,
  name: string,
  shape: Shape,
  value: number | TypedArray,
): StateTensor {
  const dtype = stateDtype(p);
  const data =
    typeof value !== "number" ? value : value === 0 ? null : allocate(dtype, sizeOf(shape)).fill(value);
  const resident = new Resident(dtype, shape, data);
  resident.storage.label = `${p.label || "a parameter"}${region?.text ?? ""} (${name})`;
  return new StateTensor(resident);
}

/**
 * What a region of a part has of a state tensor: its bits there, of the shape of what is in the region. Along a
 * dimension that the tensor has once for all slices of the part, it is a copy.
 */
export function sliceOf({ resident }: StateTensor, region: Region, shape: Shape): StateTensor {
  const bits = resident.storage.read();
  const slice = sameShape(resident.shape, region.shape)
    ? new Resident(resident.dtype, shape, pick(bits, region.flat()))
    : sliceOfFactor(resident, region, bits);
  slice.storage.label = resident.storage.label;
  return new StateTensor(slice);
}

/** A region of a factor, which has a size of 1 along some of the part's dimensions. */
function sliceOfFactor({ dtype, shape }: Resident, { dim, indices }: Region, bits: TypedArray): Resident {
  if (shape[dim!] === 1) return new Resident(dtype, shape, bits.slice());
  const along = Region.along(shape, dim!, indices);
  return new Resident(dtype, along.partShape, pick(bits, along.flat()));
}

/** Some elements of an array. */
function pick(from: TypedArray, indices: Int32Array): TypedArray {
  const picked = from.slice(0, indices.length);
  for (const [i, at] of indices.entries()) picked[i] = from[at]!;
  return picked;
}
