import type { DType } from "../../base/dtype.ts";
import { dtypes } from "../../base/dtype.ts";
import type { Access } from "../../plan/kernel.ts";
import type { CTarget } from "./target.ts";
import type { CWriter } from "./writer.ts";

/** What the code of values needs to know of its surroundings. */
export interface CContext {
  readonly w: CWriter;
  readonly target: CTarget;
  readonly accesses: readonly Access[];
  /** Elements in a vector. */
  readonly lanes: number;
  /** C expression: how many lanes exist, from 1 to `lanes`; null: all. Nothing else is loaded or stored. */
  readonly live: string | null;
  /** `char *` expression of the first element (for `index`: i64, the index itself). */
  pointer(access: number): string;
  /** i64 expression: the stride along the vector in bytes (for `index`: in elements) of a strided access. */
  step(access: number): string;
  /** i64 expression: the stride in bytes of the gathered axis. */
  axisStride(access: number): string;
}

/** The type of vectors of a value. */
export const vectorType = (dtype: DType): "vf" | "vi" | "vd" =>
  dtype === "f64" ? "vd" : dtype === "f32" ? "vf" : "vi";

/** How elements of a dtype are in memory: the prelude's name, and the vector that holds them, widened. */
const memory: { readonly [D in DType]: readonly [element: string, vector: "vf" | "vi" | "vd"] } = {
  f32: ["f32", "vf"],
  f64: ["f64", "vd"],
  i32: ["i32", "vi"],
  u8: ["u8", "vi"],
  bool: ["u8", "vi"],
  i8: ["i8", "vi"],
  bf16: ["u16", "vi"],
  f16: ["u16", "vi"],
};

const narrow = (dtype: DType): boolean => dtypes[dtype].bytes < 4;

/** A vector of elements at addresses of their own, widened. */
function fromLanes(ctx: CContext, dtype: DType, address: (lane: string | number) => string): string {
  const { w, lanes, live } = ctx;
  const [element, vector] = memory[dtype];
  const at = (lane: string | number) => `*(const ${element}_m *)(${address(lane)})`;
  if (live === null)
    return w.define(vector, `(${vector}){${Array.from({ length: lanes }, (_, l) => at(l)).join(", ")}}`);
  if (lanes > 4) {
    const got = w.name("t");
    w.line(`${vector} ${got} = {0};`);
    w.line(`for (int l = 0; l < ${live}; l++) ${got}[l] = ${at("l")};`);
    return got;
  }
  // So few that lanes beyond the last are worth loading it once more: the vector then stays in a register.
  const nearest = (l: number) => (l === 0 ? "0" : `(${l} < ${live} ? ${l} : ${live} - 1)`);
  return w.define(
    vector,
    `(${vector}){${Array.from({ length: lanes }, (_, l) => at(nearest(l))).join(", ")}}`,
  );
}

/** A vector of consecutive elements, widened. */
function fromRow(ctx: CContext, dtype: DType, pointer: string): string {
  const { w, live } = ctx;
  const [element, vector] = memory[dtype];
  if (live !== null && !narrow(dtype)) {
    const as = vector === "vi" ? "vf" : vector;
    return w.define(vector, `(${vector})load_part_${as}(${pointer}, ${live})`);
  }
  if (!narrow(dtype)) return w.define(vector, `*(const v_${element}_m *)(${pointer})`);
  let loaded = `*(const v_${element}_m *)(${pointer})`;
  if (live !== null) {
    loaded = w.name("t");
    w.line(`v_${element} ${loaded} = {0};`);
    w.line(`__builtin_memcpy(&${loaded}, ${pointer}, ${live} * ${dtypes[dtype].bytes});`);
  }
  return w.define(vector, `widen_${element}(${loaded})`);
}

/** One element in all lanes. */
function fromOne({ w }: CContext, dtype: DType, pointer: string): string {
  const [element, vector] = memory[dtype];
  return w.define(vector, `splat_${vector}(*(const ${element}_m *)(${pointer}))`);
}

/** From what memory holds to what values are: bool is a mask, narrow floats are f32. */
function decode({ w }: CContext, dtype: DType, loaded: string): string {
  if (dtype === "bool") return w.define("vi", `${loaded} != 0`);
  if (dtype === "bf16") return w.define("vf", `(vf)((vu)${loaded} << 16)`);
  if (dtype !== "f16") return loaded;
  // Half precision: the bits as an f32 that is too small by 2^112, which one exact product puts right.
  const magnitude = w.define("vi", `${loaded} & 0x7fff`);
  const scaled = w.define("vf", `(vf)(${magnitude} << 13) * splat_vf(0x1p112f)`);
  // Infinities and NaNs need the f32's whole exponent.
  const special = `((${magnitude} > 0x7bff) & 0x7f800000)`;
  return w.define("vf", `(vf)((vi)${scaled} | ${special} | (vi)((vu)(${loaded} & 0x8000) << 16))`);
}

/** The vector of elements at an access. */
export function emitLoad(ctx: CContext, access: number): string {
  const { dtype, vector } = ctx.accesses[access]!;
  const pointer = ctx.pointer(access);
  const loaded =
    vector === "unit"
      ? fromRow(ctx, dtype, pointer)
      : vector === "uniform"
        ? fromOne(ctx, dtype, pointer)
        : fromLanes(ctx, dtype, (lane) =>
            lane === 0 ? pointer : `${pointer} + ${lane} * ${ctx.step(access)}`,
          );
  return decode(ctx, dtype, loaded);
}

/** The elements at an access displaced by index · axisStride; `uniform`: the index is the same in all lanes. */
export function emitGather(ctx: CContext, access: number, index: string, uniform: boolean): string {
  const { dtype, vector } = ctx.accesses[access]!;
  const displaced = (lane: string | number) =>
    `${ctx.pointer(access)} + (i64)${index}[${lane}] * ${ctx.axisStride(access)}`;
  if (uniform && vector !== "strided") {
    const pointer = ctx.w.define("char *", displaced(0), "p");
    return decode(
      ctx,
      dtype,
      vector === "unit" ? fromRow(ctx, dtype, pointer) : fromOne(ctx, dtype, pointer),
    );
  }
  const along = vector === "unit" ? `${dtypes[dtype].bytes}` : vector === "strided" ? ctx.step(access) : null;
  const loaded = fromLanes(ctx, dtype, (lane) => {
    const from = displaced(uniform ? 0 : lane);
    return along === null || lane === 0 ? from : `${from} + ${lane} * ${along}`;
  });
  return decode(ctx, dtype, loaded);
}

/** The indices at an access that has no memory. */
export function emitIndex(ctx: CContext, access: number): string {
  const { w, lanes } = ctx;
  const { vector } = ctx.accesses[access]!;
  const first = `splat_vi((int)(${ctx.pointer(access)}))`;
  if (vector === "uniform") return w.define("vi", first);
  const counted = `(vu){${Array.from({ length: lanes }, (_, l) => l).join(", ")}}`;
  const steps = vector === "unit" ? counted : `${counted} * (unsigned)${ctx.step(access)}`;
  return w.define("vi", `(vi)((vu)${first} + ${steps})`);
}

/** From what values are to what memory holds, each element in the low bits of its lane. */
function encode({ w }: CContext, dtype: DType, value: string): string {
  if (dtype === "bool") return w.define("vi", `${value} & 1`);
  if (dtype === "bf16") {
    // Rounds to nearest even by adding just under half of the last bit that stays; NaNs only lose bits.
    const bits = w.define("vu", `(vu)${value}`);
    const rounded = w.define("vi", `(vi)((${bits} + 0x7fff + ((${bits} >> 16) & 1)) >> 16)`);
    return w.define("vi", blend(`${value} != ${value}`, `(vi)((${bits} >> 16) | 0x40)`, rounded));
  }
  return dtype === "f16" ? encodeHalf(w, value) : value;
}

/**
 * Rounds to nearest even. Normal halves by integer arithmetic on the bits, as for bf16; subnormal ones by adding 0.5,
 * whose last bit is worth 2^-24; anything from 65520 on carries into infinity's bits, and what is larger is capped.
 */
function encodeHalf(w: CWriter, value: string): string {
  const whole = w.define("vi", `(vi)${value} & 0x7fffffff`);
  // Bits of positive floats are in the order of the floats.
  const capped = w.define("vi", blend(`${whole} < 0x47800000`, whole, "splat_vi(0x47800000)"));
  const subnormal = w.define("vi", `(vi)((vf)${capped} + 0.5f) - 0x3f000000`);
  const normal = w.define("vi", `(vi)(((vu)${capped} + 0xc8000fffu + (((vu)${capped} >> 13) & 1)) >> 13)`);
  const sign = `((vi)((vu)${value} >> 16) & 0x8000)`;
  const finite = w.define("vi", `${blend(`${capped} < 0x38800000`, subnormal, normal)} | ${sign}`);
  return w.define("vi", blend(`${value} != ${value}`, "splat_vi(0x7e00)", finite));
}

/** Lanes of `a` where the mask is set, of `b` elsewhere; both `vi`. */
export const blend = (mask: string, a: string, b: string): string =>
  `(((${mask}) & ${a}) | (~(${mask}) & ${b}))`;

/** Writes a value through an access, narrowed to its dtype. */
export function emitStore(ctx: CContext, access: number, value: string): void {
  storeCells(ctx, access, encode(ctx, ctx.accesses[access]!.dtype, value));
}

/** Writes what memory is to hold: of narrow elements the low bits of the lanes. */
function storeCells(ctx: CContext, access: number, encoded: string): void {
  const { w, lanes, live } = ctx;
  const { dtype, vector } = ctx.accesses[access]!;
  const [element, type] = memory[dtype];
  const pointer = ctx.pointer(access);
  if (vector === "uniform") {
    // All lanes are the same.
    w.line(`*(${element}_m *)(${pointer}) = ${encoded}[0];`);
  } else if (vector === "strided") {
    const count = live ?? `${lanes}`;
    w.line(
      `for (int l = 0; l < ${count}; l++) *(${element}_m *)(${pointer} + l * ${ctx.step(access)}) = ${encoded}[l];`,
    );
  } else if (narrow(dtype)) {
    const packed = w.define(`v_${element}`, `narrow_${element}(${encoded})`);
    if (live === null) w.line(`*(v_${element}_m *)(${pointer}) = ${packed};`);
    else w.line(`__builtin_memcpy(${pointer}, &${packed}, ${live} * ${dtypes[dtype].bytes});`);
  } else if (live === null) w.line(`*(v_${element}_m *)(${pointer}) = ${encoded};`);
  else {
    const as = type === "vi" ? "vf" : type;
    w.line(`store_part_${as}(${pointer}, (${as})${encoded}, ${live});`);
  }
}
