import type { Tensor } from "thaw/tensor";
import * as thaw from "thaw/tensor";
import { gradcheck } from "thaw/testing";

/** Checks the second derivatives of a function of f64 tensors: the gradients of its gradients, against differences of them. */
export async function checkSecondOrder(
  fn: (...x: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
): Promise<void> {
  const slope = (...given: Tensor[]): Tensor[] =>
    thaw.enableGrad(() => {
      const x = given.map((t) => (t.requiresGrad ? t : t.clone().requiresGrad_(true)));
      const out = fn(...x);
      const weights = thaw
        .arange(out.numel, { dtype: "f64" })
        .add(1)
        .reshape([...out.shape]);
      const found = thaw.gradient(out.mul(weights).sum(), x, { createGraph: true });
      return found.map((g, i) => g ?? x[i]!.mul(0));
    });
  await gradcheck(slope, inputs);
}
