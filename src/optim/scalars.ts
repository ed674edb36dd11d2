import type { DType } from "../base/dtype.ts";
import { type Shape, sameShape } from "../base/shape.ts";
import { hostScalar } from "../engine/trace.ts";
import { broadcastTo } from "../tensor/operations/promote.ts";
import type { Node } from "./transform.ts";

/** The scalars of one optimizer step: each is made once, and repeated once to each shape that needs it. */
export class Scalars {
  readonly #made = new Map<unknown, Map<unknown, Node>>();
  readonly #repeated = new Map<Node, Node[]>();

  /** The number `compute` gives, repeated to a shape. One `owner` (a group, a state) and `rule` have one number. */
  get(owner: unknown, rule: unknown, compute: () => number, shape: Shape, dtype: DType): Node {
    const ofOwner = entry(this.#made, owner, () => new Map<unknown, Node>());
    let scalar = ofOwner.get(rule);
    if (scalar === undefined || scalar.dtype !== dtype)
      ofOwner.set(rule, (scalar = hostScalar(compute, dtype)));
    const repeated = entry(this.#repeated, scalar, () => []);
    let found = repeated.find((n) => sameShape(n.shape, shape));
    if (found === undefined) repeated.push((found = broadcastTo(scalar, shape, "optimizer")));
    return found;
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
