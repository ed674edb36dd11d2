import type { Cell, Scalar, Type } from "../../lowered/ir.ts";

/** The C types of scalars. */
export const scalars: { readonly [S in Scalar]: string } = {
  f32: "float",
  f64: "double",
  i32: "int",
  u32: "unsigned",
  i64: "i64",
  bool: "int",
  index: "i64",
};

/** The vectors of a unit. */
export interface CVectors {
  /** Lanes of 32 bits. */
  readonly lanes: number;
  /** Lanes of f64 that fill a register: as many in units that have f64 in memory, else half as many. */
  readonly doubles: number;
}

/** The prelude's name of a vector type; null: it has none. */
export function vectorName({ scalar, lanes }: Type, unit: CVectors): string | null {
  if (scalar === "i64") return lanes === unit.doubles ? "vx" : null;
  if (scalar === "f64") return lanes !== unit.doubles ? null : lanes === unit.lanes ? "vd" : "vw";
  const names: { readonly [S in Scalar]?: string } = { f32: "vf", i32: "vi", u32: "vu", bool: "vi" };
  return lanes === unit.lanes ? (names[scalar] ?? null) : null;
}

/** The vector that holds what a cell has, widened. */
export const vectorOf: { readonly [C in Cell]: "vf" | "vd" | "vi" } = {
  f32: "vf",
  f64: "vd",
  i32: "vi",
  u8: "vi",
  u16: "vi",
};

/** Whether a type is of floats. */
export const isFloat = ({ scalar }: Type): boolean => scalar === "f32" || scalar === "f64";
