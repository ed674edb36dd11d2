import { roundTo } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { argsOf, uniformValues } from "../../codegen/body.ts";
import type { Value } from "../../plan/kernel.ts";
import type { FunctionBuilder } from "../../targets/wasm/emitter.ts";
import { emitGather, emitIndex, emitLoad, type ValueContext } from "./value-access.ts";
import { emitElementwise, pushConstant } from "./value-ops.ts";

export { emitStore, lanesFor, type ValueContext } from "./value-access.ts";

/**
 * Puts each wanted value in a v128 local, and what it is computed from before it, each once. `known` has the locals
 * of values that are there already; they are taken as they are. f32 and integers are in 32-bit lanes (u8 from 0 to
 * 255), bool is a mask of 0 or -1, f64 in 64-bit lanes.
 */
export function emitValues(
  ctx: ValueContext,
  body: readonly Value[],
  wanted: readonly number[],
  known: ReadonlyMap<number, number>,
): number[] {
  const locals = new Map(known);
  const uniform = uniformValues(body, ctx.accesses);
  const need = (index: number): number => {
    const there = locals.get(index);
    if (there !== undefined) return there;
    const value = body[index]!;
    const args = argsOf(value).map(need);
    emitValue(ctx, body, value, args, uniform);
    const local = ctx.f.local("v128");
    ctx.f.set(local);
    locals.set(index, local);
    return local;
  };
  return wanted.map(need);
}

function emitValue(
  ctx: ValueContext,
  body: readonly Value[],
  value: Value,
  args: readonly number[],
  uniform: readonly boolean[],
): void {
  switch (value.op) {
    case "load":
      emitLoad(ctx, value.access);
      break;
    case "constant":
      pushConstant(ctx, value.dtype, roundTo(value.dtype, value.value));
      break;
    case "index":
      emitIndex(ctx, value.access);
      break;
    case "gather":
      emitGather(ctx, value.access, args[0]!, uniform[value.args[0]]!);
      break;
    case "random":
      emitRandom(ctx.f, args[0]!, args[1]!, args[2]!);
      break;
    case "reduce":
    case "accumulator":
      throw new InternalError(`wasm: the value of ${value.op} must be known before the values that use it`);
    default: {
      const [a, b = a, c = b] = args as [number, number?, number?];
      const from = body[value.args[0]!]!.dtype;
      const second = value.args[1];
      emitElementwise(value.op, {
        ctx,
        from,
        to: value.dtype,
        a,
        b,
        c,
        uniform: second !== undefined && uniform[second]!,
      });
      break;
    }
  }
}

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** Leaves the threefry words of four elements: word e & 1 of counter (e >>> 1, 0), as base/threefry.ts has it. */
function emitRandom(f: FunctionBuilder, key0: number, key1: number, element: number): void {
  const key2 = f.local("v128");
  const x = f.local("v128");
  const y = f.local("v128");
  f.get(key0);
  f.get(key1);
  f.i32x4(0x1bd11bda);
  f.op("v128.xor", "v128.xor");
  f.set(key2);
  const keys = [key0, key1, key2];
  f.get(element);
  f.i32(1);
  f.op("i32x4.shr_u");
  f.get(key0);
  f.op("i32x4.add");
  f.set(x);
  f.get(key1);
  f.set(y);
  for (let round = 0; round < 20; round++) {
    const by = rotations[round & 7]!;
    f.get(x);
    f.get(y);
    f.op("i32x4.add");
    f.set(x);
    f.get(y);
    f.i32(by);
    f.op("i32x4.shl");
    f.get(y);
    f.i32(32 - by);
    f.op("i32x4.shr_u", "v128.or");
    f.get(x);
    f.op("v128.xor");
    f.set(y);
    if ((round & 3) !== 3) continue;
    const injection = (round >> 2) + 1;
    f.get(x);
    f.get(keys[injection % 3]!);
    f.op("i32x4.add");
    f.set(x);
    f.get(y);
    f.get(keys[(injection + 1) % 3]!);
    f.i32x4(injection);
    f.op("i32x4.add", "i32x4.add");
    f.set(y);
  }
  f.get(y);
  f.get(x);
  f.get(element);
  f.i32x4(1);
  f.op("v128.and");
  f.i32x4(1);
  f.op("i32x4.eq", "v128.bitselect");
}
