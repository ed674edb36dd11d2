import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { enableGrad } from "../tensor/autograd.ts";
import { fromArray } from "../tensor/create.ts";
import { gradient, Tensor } from "../tensor/tensor.ts";
import {
  type Checked,
  type CheckNames,
  checkable,
  checkGradients,
  type GradcheckOptions,
  optionChecks,
} from "./gradcheck.ts";

/** Options of `gradgradcheck`. */
export interface GradgradcheckOptions extends GradcheckOptions {
  /** The gradients of the outputs that require one, f64; default: some numbers within ±1. They are checked too. */
  gradOutputs?: readonly Tensor[];
}

/**
 * Compares second derivatives with differences of the first, as `gradcheck` does: those of the gradients of a function,
 * weighted by the gradients of its outputs, by its inputs and by these weights.
 *
 * Takes a function of tensors that gives one or several, and its inputs, of which those that require a gradient are
 * leaves of f64. Gives true; false with `raiseException: false` where a derivative differs. Throws `GradientError` that
 * names the input and element that differ; `ArgumentError` for inputs that cannot be checked, and where no output
 * requires a gradient.
 * Source: `torch.autograd.gradgradcheck`.
 * Example: `await gradgradcheck((x) => x.sin(), [tensor([0.3], { dtype: "f64", requiresGrad: true })])`.
 */
export async function gradgradcheck(
  fn: Checked,
  inputs: readonly Tensor[],
  given: GradgradcheckOptions = {},
): Promise<boolean> {
  refuseOptions("gradgradcheck", given, { ...optionChecks, gradOutputs: null });
  const { gradOutputs, ...options } = given;
  const count = inputs.length;
  const names: CheckNames = {
    check: "gradgradcheck",
    output: (o) => `the gradient by input ${reached[o]!}`,
    input: (i) => (i < count ? `input ${i}` : `the gradient of output ${i - count}`),
  };
  const places = checkable(inputs, names);
  const outputs = differentiable(fn(...inputs));
  if (outputs.length === 0)
    throw new ArgumentError(
      "gradgradcheck: no output requires a gradient; there is nothing to differentiate",
    );
  const weights = weightsOf(outputs, gradOutputs);
  /** The inputs that there are gradients by. */
  let reached: readonly number[] = [];
  const gradients = (...args: Tensor[]): readonly Tensor[] =>
    enableGrad(() => {
      const given = args
        .slice(0, count)
        .map((x, i) => (places.includes(i) && !x.requiresGrad ? x.requiresGrad_() : x));
      const weighted = differentiable(fn(...given)).map((y, o) => y.mul(args[count + o]!).sum());
      const found = gradient(
        weighted.reduce((a, b) => a.add(b)),
        places.map((i) => given[i]!),
        { createGraph: true },
      );
      reached = places.filter((_, k) => found[k] !== null);
      return found.filter((g) => g !== null);
    });
  return checkGradients(gradients, [...inputs, ...weights], options, names);
}

const differentiable = (result: Tensor | readonly Tensor[]): readonly Tensor[] =>
  (result instanceof Tensor ? [result] : result).filter((y) => y.requiresGrad);

/** The weights of outputs, as leaves: those that were given, or some that are all different. */
function weightsOf(outputs: readonly Tensor[], given: readonly Tensor[] | undefined): readonly Tensor[] {
  if (given === undefined)
    return outputs.map(({ numel, shape }, o) => {
      const numbers = Float64Array.from({ length: numel }, (_, i) => Math.sin(1 + 2.3 * i + o));
      return fromArray(numbers, shape, { dtype: "f64", requiresGrad: true });
    });
  if (given.length !== outputs.length || given.some((g, o) => !sameShape(g.shape, outputs[o]!.shape)))
    throw new ArgumentError(
      `gradgradcheck: gradOutputs have shapes ${given.map((g) => shapeText(g.shape)).join(", ") || "none"}, ` +
        `the outputs that require a gradient ${outputs.map((y) => shapeText(y.shape)).join(", ")}; give one for each, of its shape`,
    );
  return given.map((g) => (g.requiresGrad && g.isLeaf ? g : g.detach().requiresGrad_()));
}
