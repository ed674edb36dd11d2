import { type DType, dtypes, type TypedArray } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { Resident } from "../engine/trace.ts";
import { bitsOf, copyOfBits } from "../nn/bits.ts";
import { like } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Node, Numbers } from "./transform.ts";

/** A tensor that optimizers and averages write to: reading it gives its present value. */
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

  override keep(): Tensor {
    return this.clone();
  }
}

/** One parameter's state as a plain object: its numbers, and its tensors by name. */
export type ResidentState = { step: number } & { [name: string]: number | StateTensor };

/** One parameter's state as it is read: its numbers, and its tensors by name. */
export type ParameterState = { step: number } & { [name: string]: number | Tensor };

/** The dtype that state and updates of a parameter compute in. */
export const stateDtype = (p: Parameter) => (dtypes[p.dtype].compute ? p.dtype : "f32");

/** The numbers of a state. */
export const numbersOf = (state: ResidentState): Numbers => state as unknown as Numbers;

/** A tensor of its own with the values that a state tensor has now. */
export const copyOf = (value: Tensor): Tensor => copyOfBits(value, "stateDict()");

/**
 * Throws `DTypeError` where a state was made for a dtype that a parameter or buffer has no more: `Module.to` has changed
 * it since. `now` is the dtype in which its state would be made.
 */
export function refuseOtherDtype(owner: string, member: Stored, state: unknown, now: DType): void {
  if (!(state instanceof StateTensor) || state.dtype === now || !dtypes[state.dtype].float) return;
  const name = member.label || "a parameter";
  throw new DTypeError(
    `${owner}: its state of ${name} was made in ${state.dtype}, and ${name} is ${member.dtype} now. Make it anew after to(), which changes dtypes; nothing was updated.`,
  );
}

/** The elements of a value in the dtype and shape of a state, to be put in its place. */
export const bitsFor = (value: Tensor, { shape, dtype }: { shape: Shape; dtype: DType }): TypedArray =>
  bitsOf(new Tensor(like(value.detach().node, shape, dtype, "loadStateDict")), "loadStateDict()");
