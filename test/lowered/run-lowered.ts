import type { TypedArray } from "../../src/base/dtype.ts";
import { interpret } from "../../src/lowered/interpret.ts";
import type { Lowered } from "../../src/lowered/ir.ts";
import type { AccessArgs } from "../../src/plan/kernel.ts";

/**
 * Interprets a kernel on copies of buffers, whose arguments reach them as a plan's call says; gives the copies.
 * `block`: of a product, rows and columns of a task.
 */
export function runLowered(
  kernel: Lowered,
  call: { readonly extents: readonly number[]; readonly accesses: readonly AccessArgs[] },
  buffers: readonly TypedArray[],
  block: readonly number[] = [],
): TypedArray[] {
  const after = buffers.map((b) => b.slice());
  const args = call.accesses.map(({ buffer, offset, strides, axisStride = 0 }) => ({
    // What has no memory is only computed with.
    memory: after[buffer] ?? new Float32Array(0),
    offset,
    strides: [...strides, axisStride],
  }));
  interpret(kernel, call.extents, args, block);
  return after;
}
