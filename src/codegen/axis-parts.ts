import { type DType, dtypes } from "../base/dtype.ts";
import { param } from "../lowered/build.ts";
import type { Cell, Expr } from "../lowered/ir.ts";

/** How memory holds elements of a dtype. */
export const cellOf = (dtype: DType): Cell => {
  if (dtype === "f32" || dtype === "f64" || dtype === "i32") return dtype;
  return dtypes[dtype].bytes === 1 ? "u8" : "u16";
};

/** Extents of a call along (outer, axis, inner). */
export const [outer, axis, inner] = [0, 1, 2].map((dim) => param({ kind: "extent", dim })) as [
  Expr,
  Expr,
  Expr,
];

/** The strides of an access along (outer, axis, inner). */
export const stridesOf = (access: number): Expr[] =>
  [0, 1, 2].map((dim) => param({ kind: "stride", access, dim }));
