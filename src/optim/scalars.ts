import type { DType } from "../base/dtype.ts";
import { type Shape, sameShape } from "../base/shape.ts";
import { hostScalar } from "../engine/trace.ts";
import { broadcastTo } from "../tensor/operations/promote.ts";
import type { Node } from "./transform.ts";

/** A number of an owner's, and what it is repeated to. */
interface Made {
  readonly rule: unknown;
  readonly scalar: Node;
  readonly repeated: Node[];
}

/** The scalars of one optimizer step: each is made once, and repeated once to each shape that needs it. */
export class Scalars {
  readonly #made = new Map<unknown, Made[]>();

  /** The number `compute` gives, repeated to a shape. One `owner` (a group, a state) and `rule` have one number. */
  get(owner: unknown, rule: unknown, compute: () => number, shape: Shape, dtype: DType): Node {
    let ofOwner = this.#made.get(owner);
    if (ofOwner === undefined) this.#made.set(owner, (ofOwner = []));
    let made = ofOwner.find((m) => m.rule === rule && m.scalar.dtype === dtype);
    if (made === undefined) ofOwner.push((made = { rule, scalar: hostScalar(compute, dtype), repeated: [] }));
    let found = made.repeated.find((n) => sameShape(n.shape, shape));
    if (found === undefined) made.repeated.push((found = broadcastTo(made.scalar, shape, "optimizer")));
    return found;
  }
}
