import { reshape } from "../tensor/operations/movement.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
import type { ParamGroup } from "./param-group.ts";
import type { ResidentState, StateTensor } from "./state-tensor.ts";
import type { Node } from "./transform.ts";

/** Some of a parameter, or all of it, with an optimizer state of its own. */
export interface Part {
  readonly parameter: Parameter;
  /** Null: all of the parameter. */
  readonly region: Region | null;
  readonly state: ResidentState;
  /** The update, counted by the optimizer, that last stepped it; 0 before its first. */
  lastUpdate: number;
  /** Its step count when it was last thawed, from which a rate that is warmed up again counts; -1 where none is. */
  thawedAt: number;
  /** Whether its state has been dropped: it starts anew when it is next trained. */
  dropped: boolean;
  /** Whether its step has not been carried out yet: its tensors are still as they were before it. */
  running: boolean;
  /** Where the state's tensors are while they are not in the backend's memory. */
  offloaded: { restore(): void; discard(): void; readonly lost: boolean } | null;
}

/** A part before its first step. */
export const newPart = (parameter: Parameter, region: Region | null, state: ResidentState): Part => ({
  parameter,
  region,
  state,
  lastUpdate: 0,
  thawedAt: -1,
  dropped: false,
  running: false,
  offloaded: null,
});

/** The shape of what belongs to a part. */
export const partShape = (parameter: Parameter, region: Region | null) =>
  region === null ? parameter.shape : region.partShape;

/**
 * Where a region lies in what another, larger one holds: a region of that one's part. What is in it has the region's
 * order, but the region's shape only where both are along one dimension.
 */
export function within(inner: Region, outer: Region): Region {
  if (inner.dim !== null && inner.dim === outer.dim)
    return Region.along(outer.partShape, inner.dim, places(inner.indices, outer.indices));
  // A part lies in row-major order, and so in the order of its elements' places in the whole.
  return Region.elements(outer.partShape, places(inner.flat(), outer.flat()));
}

/** The places of sorted numbers in a sorted array that has them all. */
function places(wanted: Int32Array, all: Int32Array): Int32Array {
  let at = 0;
  return wanted.map((index) => {
    while (all[at]! < index) at++;
    return at;
  });
}

/**
 * The part of a value that belongs to `inner`, of a value that belongs to `outer`, which contains it. What is in
 * `computed` is there anyway, and is not computed again in part.
 */
export function narrowTo(
  value: Node,
  outer: Region | null,
  inner: Region | null,
  computed?: ReadonlySet<Node>,
): Node {
  if (outer === inner) return value;
  if (outer === null) return inner!.take(value, computed);
  return reshape(within(inner!, outer).take(value, computed), inner!.partShape);
}

/** A part that a step updates: its group, and the tensors the step added to its state. */
export interface Stepped<O extends object> {
  readonly part: Part;
  readonly group: ParamGroup<O>;
  readonly added: ReadonlyMap<string, StateTensor>;
}
