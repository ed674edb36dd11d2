import { param } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";

/** Extents of a call along (outer, axis, inner). */
export const [outer, axis, inner] = [0, 1, 2].map((dim) => param({ kind: "extent", dim })) as [
  Expr,
  Expr,
  Expr,
];

/** The strides of an access along (outer, axis, inner). */
export const stridesOf = (access: number): Expr[] =>
  [0, 1, 2].map((dim) => param({ kind: "stride", access, dim }));
