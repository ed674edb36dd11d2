import type { DType } from "../../base/dtype.ts";
import type { Cell, Scalar, Type } from "../../lowered/ir.ts";

/** The C types of scalars. */
export const scalars: { readonly [S in Scalar]: string } = {
  f32: "float",
  f64: "double",
  i32: "int",
  u32: "unsigned",
  bool: "int",
  index: "i64",
};

/** The prelude's types of vectors. */
export const vectors: { readonly [S in Scalar]?: string } = {
  f32: "vf",
  f64: "vd",
  i32: "vi",
  u32: "vu",
  bool: "vi",
};

/** The dtype whose elements are a cell's, as they are in memory. */
export const stored: { readonly [C in Cell]: DType } = {
  f32: "f32",
  f64: "f64",
  i32: "i32",
  u8: "u8",
  u16: "f16",
};

/** Whether a type is of floats. */
export const isFloat = ({ scalar }: Type): boolean => scalar === "f32" || scalar === "f64";
