import type { DType } from "../base/dtype.ts";
import { ArgumentError, GradientError } from "../base/errors.ts";
import { topological } from "../ir/node.ts";
import { type Regions, unite, widened } from "../optim/accumulate.ts";
import type { Gradients } from "../optim/gradient-transform.ts";
import { narrowTo } from "../optim/part.ts";
import type { Node } from "../optim/transform.ts";
import { gradientsOf, noGrad } from "../tensor/autograd.ts";
import { add, full, mul } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { nameOfParameter, reachedBy } from "./outside.ts";
import type { TrainedSet } from "./trained-set.ts";

/** What a loss function gives: the loss, or an object with it and other tensors to be returned. */
export type LossResult = Tensor | ({ loss: Tensor } & Record<string, Tensor>);

/** A loss with its gradients by what is trained, each of the shape of its region. */
export interface Differentiated {
  readonly loss: Tensor;
  /** The other tensors that the loss function gave; null where it gave the loss alone. */
  readonly others: Record<string, Tensor> | null;
  readonly found: Gradients;
}

/** The gradients of a loss by what a set trains. Throws `GradientError` where there are none, unless that may be. */
export function differentiate(
  result: LossResult,
  { regions, text }: TrainedSet,
  mayBeNone = false,
): Differentiated {
  const loss = lossOf(result);
  const wanted = (owner: object): boolean => regions.has(owner as Parameter);
  const whole: ReadonlyMap<object, Node> = loss.node.tracked
    ? gradientsOf("trainStep", loss.node, undefined, wanted)
    : new Map();
  if (whole.size === 0 && !mayBeNone) {
    const others = reachedBy([loss]).map(nameOfParameter);
    throw new GradientError(
      `trainStep: the loss depends on nothing that this step trains: trains is ${text}. ` +
        `${others.length === 0 ? "" : `It depends on ${others.join(", ")}. `}` +
        "Check that the forward pass uses what it names, that none of it has requiresGrad = false or is frozen, " +
        "and that the loss is not detached or made in noGrad().",
    );
  }
  const found = noGrad(() => narrowAll(whole as Gradients, regions, loss.node));
  return { loss, others: result instanceof Tensor ? null : { ...result }, found };
}

/**
 * Each gradient, cut to its region. What the loss or another gradient needs whole is not computed again in part: those
 * of whole parameters come first, then those furthest from the loss, on whose way the others lie.
 */
function narrowAll(whole: Gradients, regions: Regions, loss: Node): Gradients {
  const cut = [...whole].filter(([p]) => regions.get(p) !== null);
  if (cut.length === 0) return whole;
  const others = [...whole].filter(([p]) => regions.get(p) === null).map(([, g]) => g);
  const computed = new Set(topological([loss, ...others]));
  const parts = new Map<Parameter, Node>();
  for (const [p, g] of cut.reverse()) {
    const part = narrowTo(g, null, regions.get(p)!, computed);
    for (const n of topological([part])) computed.add(n);
    parts.set(p, part);
  }
  return new Map([...whole].map(([p, g]) => [p, parts.get(p) ?? g]));
}

/**
 * The weighted sum of gradients of several losses, each of what its own set trains; and what of each parameter it is a
 * gradient of. What a loss does not reach is not in it, as zeros are gradients too.
 */
export function combine(
  parts: readonly {
    readonly found: Gradients;
    readonly regions: Regions;
    /** The weight, as a scalar of a dtype; null: it is 1. */
    readonly weight: ((dtype: DType) => Node) | null;
  }[],
): { readonly gradients: Gradients; readonly regions: Regions } {
  const regions = parts
    .map(({ found, regions }): Regions => new Map([...regions].filter(([p]) => found.has(p))))
    .reduce(unite, new Map());
  const sums = new Map<Parameter, Node>();
  for (const { found, regions: own, weight } of parts)
    for (const [p, gradient] of found) {
      const scaled = weight === null ? gradient : mul(gradient, weight(gradient.dtype));
      const share = widened(p, scaled, own.get(p)!, regions.get(p)!);
      const before = sums.get(p);
      sums.set(p, before === undefined ? share : add(before, share));
    }
  return { gradients: sums, regions };
}

/** The loss itself, of what a loss function gave. */
export function lossOf(result: LossResult): Tensor {
  const loss = result instanceof Tensor ? result : result?.loss;
  if (loss instanceof Tensor) return loss;
  throw new ArgumentError(
    `trainStep: loss gave ${result === null ? "null" : typeof result}; it must give a tensor, or { loss, … }, at once`,
  );
}

/** A gradient of the shape of its parameter: zeros where that is not trained. */
export function wholeGradient(p: Parameter, gradient: Node, regions: Regions): Node {
  const region = regions.get(p)!;
  return region === null ? gradient : region.put(full(p.shape, 0, gradient.dtype), gradient);
}
