import { add, div, like, maximum, mul, sqrt } from "../tensor/operations/elementwise.ts";
import { matmul } from "../tensor/operations/linalg.ts";
import { t } from "../tensor/operations/movement.ts";
import { sum } from "../tensor/operations/reduction.ts";
import type { Node } from "./transform.ts";

/** A number repeated to a shape. */
type Scalar<S extends string> = (name: S, shape: readonly number[]) => Node;

const as = (x: Node, dtype: Node["dtype"]): Node => like(x, x.shape, dtype, "Muon");
const f32 = (x: Node): Node => as(x, "f32");

/** What PyTorch has in bf16: it multiplies in f32, and rounds once what it writes. */
const rounded = (x: Node): Node => f32(as(x, "bf16"));

/**
 * A matrix with its singular values drawn towards 1: as many steps of Newton and Schulz's iteration by a quintic
 * polynomial with the coefficients a, b and c (Jordan, https://kellerjordan.github.io/posts/muon). Rounded to bf16
 * wherever PyTorch rounds, so that a step differs from its only where a sum of products does.
 */
export function orthogonalised(matrix: Node, steps: number, scalar: Scalar<"a" | "b" | "c" | "least">): Node {
  const isTall = matrix.shape[0]! > matrix.shape[1]!;
  let x = rounded(isTall ? t(matrix) : matrix);
  const length = rounded(sqrt(sum(mul(x, x))));
  x = rounded(div(x, rounded(maximum(length, f32(scalar("least", []))))));
  for (let i = 0; i < steps; i++) {
    const gram = rounded(matmul(x, t(x)));
    const { shape } = gram;
    const polynomial = add(
      mul(gram, f32(scalar("b", shape))),
      mul(matmul(gram, gram), f32(scalar("c", shape))),
    );
    x = rounded(add(mul(x, f32(scalar("a", x.shape))), matmul(rounded(polynomial), x)));
  }
  return as(isTall ? t(x) : x, matrix.dtype);
}
