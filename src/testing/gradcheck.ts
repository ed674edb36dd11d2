import { ArgumentError, GradientError } from "../base/errors.ts";
import { noGrad } from "../tensor/autograd.ts";
import { fromArray } from "../tensor/create.ts";
import { gradient, Tensor } from "../tensor/tensor.ts";
import { indexText } from "./assert-close.ts";

/** Options of `gradcheck`, with PyTorch's defaults. */
export interface GradcheckOptions {
  /** How far inputs are moved for the numerical gradient; default 1e-6. */
  eps?: number;
  /** Default 1e-5. */
  atol?: number;
  /** Default 1e-3. */
  rtol?: number;
  /** Once it is aborted nothing further is compared, and the signal's reason is thrown. */
  signal?: AbortSignal;
}

/**
 * Compares the gradients that autograd gives for a function of f64 tensors with central differences, for every
 * output and every input that requires a gradient; throws `GradientError` with the first that differs.
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  { eps = 1e-6, atol = 1e-5, rtol = 1e-3, signal }: GradcheckOptions = {},
): Promise<void> {
  const checked = inputs.flatMap((input, i) => (input.requiresGrad ? [i] : []));
  if (checked.length === 0)
    throw new ArgumentError("gradcheck: no input requires a gradient; set requiresGrad on one");
  for (const i of checked)
    if (inputs[i]!.dtype !== "f64" || !inputs[i]!.isLeaf)
      throw new ArgumentError(`gradcheck: input ${i} is ${inputs[i]!.dtype}; differences need leaves of f64`);
  const outputs = listOf(fn(...inputs));
  for (const [o, output] of outputs.entries())
    for (let e = 0; e < output.numel; e++) {
      const leaves = checked.map((i) => inputs[i]!);
      const analytic = output.requiresGrad
        ? gradient(output, leaves, { gradient: oneHot(output, e) })
        : leaves.map(() => null);
      for (const [k, i] of checked.entries()) {
        const found = analytic[k] ? await analytic[k].data() : new Float64Array(leaves[k]!.numel);
        for (let j = 0; j < found.length; j++) {
          signal?.throwIfAborted();
          const numeric = await difference(fn, inputs, i, j, o, e, eps);
          if (Math.abs(found[j]! - numeric) <= atol + rtol * Math.abs(numeric)) continue;
          throw new GradientError(
            `gradcheck: output ${o} ${indexText(e, output.shape)} by input ${i} ${indexText(j, leaves[k]!.shape)}: ` +
              `autograd gives ${found[j]}, differences ${numeric}`,
          );
        }
      }
    }
}

const listOf = (result: Tensor | readonly Tensor[]): readonly Tensor[] =>
  result instanceof Tensor ? [result] : result;

/** Weights that pick one element. */
function oneHot(like: Tensor, element: number): Tensor {
  const weights = new Float64Array(like.numel);
  weights[element] = 1;
  return fromArray(weights, like.shape, { dtype: like.dtype });
}

/** How element `e` of output `o` changes with element `j` of input `i`. */
async function difference(
  fn: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  i: number,
  j: number,
  o: number,
  e: number,
  eps: number,
): Promise<number> {
  const at = async (by: number): Promise<number> => {
    const data = (await inputs[i]!.data()).slice();
    data[j] = data[j]! + by;
    const moved = inputs.map((input, k) =>
      k === i ? fromArray(data, input.shape, { dtype: input.dtype }) : input,
    );
    const output = noGrad(() => listOf(fn(...moved))[o]!);
    return (await output.data())[e]!;
  };
  return ((await at(eps)) - (await at(-eps))) / (2 * eps);
}
