import { isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { node } from "../ir/node.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import type { GradientTransform } from "../optim/gradient-transform.ts";
import type { Node } from "../optim/transform.ts";
import { noGrad } from "../tensor/autograd.ts";
import { like } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Of what a gradient is. */
export interface GradientOf {
  readonly parameter: Parameter;
  /** What of it is trained, whose shape the gradient has; null: all of it. */
  readonly region: Region | null;
}

/**
 * Sees the gradient of each parameter that an update is about to be made of, and gives another of its shape, nothing
 * where it stays as it is, or null where the parameter is left out of this update.
 */
export type GradientHook = (
  path: string,
  gradient: Tensor,
  of: GradientOf,
) => // biome-ignore lint/suspicious/noConfusingVoidType: a hook that gives nothing need not say so.
Tensor | null | undefined | void;

/** A hook as a stage of a step: it is asked for what is `updated`, and so cannot bring in anything that is frozen. */
export function hookStage(hook: GradientHook, module: Module, updated: Regions): GradientTransform {
  return {
    name: "gradients",
    apply(gradients) {
      const next = new Map(gradients);
      for (const [path, parameter] of module.namedParameters()) {
        const before = gradients.get(parameter);
        if (before === undefined) continue;
        const of = { parameter, region: updated.get(parameter) ?? null };
        const given: unknown = noGrad(() => hook(path, new Tensor(before), of));
        if (given === null) next.delete(parameter);
        else if (given !== undefined) next.set(parameter, checked(path, given, before));
      }
      return next;
    },
  };
}

/** What a hook gave in place of a gradient, in the dtype of that. */
function checked(path: string, given: unknown, { shape, dtype }: Node): Node {
  const must = `it gives a tensor of shape ${shapeText(shape)}, null to leave ${path} out, or nothing`;
  if (isPromiseLike(given)) {
    disown(given);
    throw new ArgumentError(`trainStep: gradients gave a promise for ${path}; ${must}, at once`);
  }
  if (!(given instanceof Tensor))
    throw new ArgumentError(`trainStep: gradients gave ${typeof given} for ${path}; ${must}`);
  if (!sameShape(given.shape, shape))
    throw new ShapeError(
      `trainStep: gradients gave a tensor of shape ${shapeText(given.shape)} for ${path}; ${must}`,
    );
  if (!isFloat(given.dtype))
    throw new DTypeError(
      `trainStep: gradients gave a tensor of ${given.dtype} for ${path}; cast it with to("${dtype}")`,
    );
  return noGrad(() => like(node("detach", [given.node], {}), shape, dtype, "gradients"));
}
