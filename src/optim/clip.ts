import { ArgumentError, NonFiniteError } from "../base/errors.ts";
import { flag, refuseOptions } from "../base/options.ts";
import { addCheck, currentTrace, hostScalar } from "../engine/trace.ts";
import { noGrad } from "../tensor/autograd.ts";
import { tensor } from "../tensor/create.ts";
import {
  abs,
  add,
  clamp,
  div,
  isfinite,
  like,
  maximum,
  minimum,
  mul,
  not,
  pow,
  sqrt,
} from "../tensor/operations/elementwise.ts";
import { widen } from "../tensor/operations/promote.ts";
import { amax, amin, any, sum } from "../tensor/operations/reduction.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { GradientTransform } from "./gradient-transform.ts";
import { narrowTo } from "./part.ts";
import type { Node } from "./transform.ts";

/** Options of `clipGradNorm_`. */
export interface ClipNormOptions {
  /**
   * Which norm: 1, 2 (the default), any number, Infinity for the largest absolute value, -Infinity for the smallest, or
   * 0 for how many of the gradients are not all zeros.
   */
  normType?: number;
  /** Throw `NonFiniteError` where the norm is NaN or infinite, when it is computed; default false. */
  errorIfNonfinite?: boolean;
}

/** The norm of all tensors as if they were one vector. */
function totalNorm(gradients: readonly Node[], normType: number): Node {
  if (typeof normType !== "number" || Number.isNaN(normType))
    throw new ArgumentError(
      `clipGradNorm_: normType is ${String(normType)}; it must be a number, or Infinity`,
    );
  const wide = gradients.map(widen);
  if (normType === Number.POSITIVE_INFINITY)
    return wide.map((g) => amax(abs(g))).reduce((a, b) => maximum(a, b));
  if (normType === Number.NEGATIVE_INFINITY)
    return wide.map((g) => amin(abs(g))).reduce((a, b) => minimum(a, b));
  // PyTorch takes the norm of the norms: how many gradients there are that are not all zeros.
  if (normType === 0)
    return wide.map((g) => like(any(g), [], g.dtype, "clipGradNorm_")).reduce((a, b) => add(a, b));
  const powers = wide.map((g) => sum(normType === 2 ? mul(g, g) : pow(abs(g), normType)));
  const total = powers.reduce((a, b) => add(a, b));
  return normType === 2 ? sqrt(total) : pow(total, 1 / normType);
}

/** What gradients of a norm are multiplied by, so that it is at most `maxNorm`. */
const coefficient = (norm: Node, maxNorm: () => number): Node =>
  clamp(div(hostScalar(maxNorm, norm.dtype as "f32"), add(norm, 1e-6)), undefined, 1);

const scaled = (gradient: Node, factor: Node): Node =>
  like(mul(widen(gradient), factor), gradient.shape, gradient.dtype, "clipGradNorm_");

function checkLimit(what: string, limit: number): void {
  if (!(typeof limit === "number" && limit >= 0))
    throw new ArgumentError(`${what} is ${String(limit)}; it must be a number of at least 0`);
}

const asList = (parameters: Parameter | Iterable<Parameter>): Parameter[] =>
  Symbol.iterator in parameters ? [...parameters] : [parameters];

function replaceGradient(p: Parameter, gradient: Node): void {
  const next = new Tensor(gradient);
  next.kept = !currentTrace().recording;
  p.grad = next;
}

/**
 * Scales the gradients of parameters so that their norm, taken together, is at most `maxNorm`, and gives the norm
 * that they had. Parameters without a gradient, and frozen ones, neither count nor change; of one that is frozen in
 * part, the rest counts.
 */
export function clipGradNorm_(
  parameters: Parameter | Iterable<Parameter>,
  maxNorm: number,
  options: ClipNormOptions = {},
): Tensor {
  refuseOptions("clipGradNorm_", options, { normType: null, errorIfNonfinite: flag });
  const { normType = 2, errorIfNonfinite = false } = options;
  checkLimit("clipGradNorm_: maxNorm", maxNorm);
  const having = asList(parameters).filter((p) => p.grad !== null && !p.frozen);
  if (having.length === 0) return tensor(0);
  return noGrad(() => {
    const norm = totalNorm(
      having.map((p) => narrowTo(p.grad!.node, null, p.trainable(null) as Region | null)),
      normType,
    );
    if (errorIfNonfinite) {
      const error = () =>
        new NonFiniteError(
          `clipGradNorm_: the norm of the gradients is NaN or infinite; nothing was updated`,
        );
      addCheck(like(not(isfinite(norm)), [], "i32", "clipGradNorm_"), error);
    }
    const factor = coefficient(norm, () => maxNorm);
    for (const p of having) replaceGradient(p, scaled(p.grad!.node, factor));
    return new Tensor(norm);
  });
}

/** Clamps every element of the gradients of parameters to ± `clipValue`. */
export function clipGradValue_(parameters: Parameter | Iterable<Parameter>, clipValue: number): void {
  checkLimit("clipGradValue_: clipValue", clipValue);
  noGrad(() => {
    for (const p of asList(parameters))
      if (p.grad !== null && !p.frozen) replaceGradient(p, clamp(p.grad.node, -clipValue, clipValue));
  });
}

/** Clipping by the norm of all gradients of a step together. */
export function clipByNorm(maxNorm: number, normType = 2): GradientTransform {
  checkLimit("clipNorm", maxNorm);
  return {
    name: "clipByNorm",
    apply(gradients) {
      if (gradients.size === 0) return gradients;
      const factor = coefficient(totalNorm([...gradients.values()], normType), () => maxNorm);
      return new Map([...gradients].map(([p, g]) => [p, scaled(g, factor)]));
    },
  };
}

/** Clipping of each element of each gradient. */
export function clipByValue(clipValue: number): GradientTransform {
  checkLimit("clipValue", clipValue);
  return {
    name: "clipByValue",
    apply: (gradients) => new Map([...gradients].map(([p, g]) => [p, clamp(g, -clipValue, clipValue)])),
  };
}
