import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { hostScalar } from "../engine/trace.ts";
import { broadcastTo } from "../tensor/operations/promote.ts";
import type { Node } from "./transform.ts";

/** The scalars of one optimizer step: each is made once, and repeated once to each shape that needs it. */
export class Scalars {
  readonly #made = new Map<unknown, Map<unknown, Node>>();
  readonly #repeated = new Map<Node, Map<string, Node>>();

  /** The number `compute` gives, repeated to a shape. One `owner` (a group, a state) and `rule` have one number. */
  get(owner: unknown, rule: unknown, compute: () => number, shape: Shape, dtype: DType): Node {
    const ofOwner = entry(this.#made, owner, () => new Map<unknown, Node>());
    let scalar = ofOwner.get(rule);
    if (scalar === undefined || scalar.dtype !== dtype)
      ofOwner.set(rule, (scalar = hostScalar(compute, dtype)));
    const repeated = entry(this.#repeated, scalar, () => new Map<string, Node>());
    return entry(repeated, shape.join(), () => broadcastTo(scalar, shape, "optimizer"));
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
