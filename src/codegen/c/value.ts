import { InternalError } from "../../base/errors.ts";
import type { Value } from "../../plan/kernel.ts";
import { argsOf, uniformValues } from "../body.ts";
import { type CContext, emitGather, emitIndex, emitLoad, vectorType } from "./access.ts";
import { emitElementwise } from "./elementwise.ts";
import { splat } from "./literal.ts";
import type { CWriter } from "./writer.ts";

/**
 * Defines each wanted value as a C variable, and what it is computed from before it, each once. `known` has the names
 * of values that are there already; they are taken as they are. f32 is `vf`, f64 `vd`, integers `vi` (u8 from 0 to
 * 255), bool a `vi` of 0 or -1.
 */
export function emitValues(
  ctx: CContext,
  body: readonly Value[],
  wanted: readonly number[],
  known: ReadonlyMap<number, string>,
): string[] {
  const names = new Map(known);
  const uniform = uniformValues(body, ctx.accesses);
  const need = (index: number): string => {
    const there = names.get(index);
    if (there !== undefined) return there;
    const value = body[index]!;
    const name = emitValue(ctx, body, value, argsOf(value).map(need), uniform);
    names.set(index, name);
    return name;
  };
  return wanted.map(need);
}

function emitValue(
  ctx: CContext,
  body: readonly Value[],
  value: Value,
  args: readonly string[],
  uniform: readonly boolean[],
): string {
  switch (value.op) {
    case "load":
      return emitLoad(ctx, value.access);
    case "constant":
      return ctx.w.define(vectorType(value.dtype), splat(value.dtype, value.value));
    case "index":
      return emitIndex(ctx, value.access);
    case "gather":
      return emitGather(ctx, value.access, args[0]!, uniform[value.args[0]]!);
    case "random":
      return emitRandom(ctx.w, args[0]!, args[1]!, args[2]!);
    case "reduce":
    case "accumulator":
      throw new InternalError(`C: the value of ${value.op} must be known before the values that use it`);
    default: {
      const [a, b = a, c = b] = args as [string, string?, string?];
      return emitElementwise(value.op, { ctx, from: body[value.args[0]!]!.dtype, to: value.dtype, a, b, c });
    }
  }
}

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** The threefry words of some elements: word e & 1 of counter (e >>> 1, 0), as base/threefry.ts has it. */
function emitRandom(w: CWriter, key0: string, key1: string, element: string): string {
  const keys = [
    w.define("vu", `(vu)${key0}`),
    w.define("vu", `(vu)${key1}`),
    w.define("vu", `(vu)${key0} ^ (vu)${key1} ^ 0x1bd11bdau`),
  ];
  const x = w.name("x");
  const y = w.name("y");
  w.line(`vu ${x} = ((vu)${element} >> 1) + ${keys[0]}, ${y} = ${keys[1]};`);
  for (let round = 0; round < 20; round++) {
    const by = rotations[round & 7]!;
    w.line(`${x} += ${y}; ${y} = ((${y} << ${by}) | (${y} >> ${32 - by})) ^ ${x};`);
    if ((round & 3) !== 3) continue;
    const injection = (round >> 2) + 1;
    w.line(`${x} += ${keys[injection % 3]}; ${y} += ${keys[(injection + 1) % 3]} + ${injection}u;`);
  }
  const odd = w.define("vi", `-(${element} & 1)`);
  return w.define("vi", `(${odd} & (vi)${y}) | (~${odd} & (vi)${x})`);
}
