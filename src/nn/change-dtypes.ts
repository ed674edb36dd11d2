import { type DType, dtypes, isFloat } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { hostNode } from "../engine/trace.ts";
import { noGrad } from "../tensor/autograd.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";
import { bitsOf } from "./bits.ts";

/** Casts those of some parameters and buffers that are floating point, with their gradients: all of them, or none. */
export function changeDtypes(members: readonly Stored[], dtype: DType): void {
  if (!Object.hasOwn(dtypes, dtype) || !isFloat(dtype))
    throw new DTypeError(
      `to: a module's parameters are floating point, and ${dtype} is not; give f32, f64, bf16 or f16`,
    );
  const cast = (t: Tensor) => noGrad(() => bitsOf(t.detach().to(dtype), "to()"));
  const changes = members
    .filter((member) => isFloat(member.dtype) && member.dtype !== dtype)
    .map((member) => ({ member, bits: cast(member), grad: member.grad && cast(member.grad) }));
  for (const { member, bits, grad } of changes) {
    member.become(dtype, bits);
    if (member instanceof Parameter && grad !== null)
      member.grad = new Tensor(hostNode(grad, dtype, member.shape));
  }
}
