import { backward } from "../autodiff/index.ts";
import { CaptureError, GradientError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { currentTrace } from "../engine/trace.ts";
import { filled } from "../ir/build.ts";
import { type Node, withGrad } from "../ir/node.ts";
import { add } from "./operations/elementwise.ts";
import { computeDtype } from "./operations/promote.ts";

export { isGradEnabled } from "../ir/node.ts";

/** Runs `fn` without tracking gradients, as `torch.no_grad`. */
export const noGrad = <T>(fn: () => T): T => withGrad(false, fn);
/** Runs `fn` with tracking on again inside `noGrad`, as `torch.enable_grad`. */
export const enableGrad = <T>(fn: () => T): T => withGrad(true, fn);

/**
 * Stands, as owner of a `variable`, for a tracked value that has been computed: what is made of it later uses the
 * value, and a gradient that arrives here goes on through the graph that made it.
 */
export class Computed {
  readonly history: Node;
  readonly trace = currentTrace();
  readonly ordinal = next++;

  constructor(history: Node) {
    this.history = history;
  }
}

let next = 0;

/** How `backward` and `gradient` go. */
export interface GradientOptions {
  /** Make the gradients differentiable themselves. */
  createGraph?: boolean;
}

/** Gradients of `root` by owner, through values that have been computed since, only for owners that `wants` takes. */
export function gradientsOf(
  what: string,
  root: Node,
  cotangent: Node | undefined,
  wants: (owner: object) => boolean,
  { createGraph = false }: GradientOptions = {},
): Map<object, Node> {
  if (!root.tracked)
    throw new GradientError(
      `${what}: the tensor of shape ${shapeText(root.shape)} depends on nothing that requires a gradient. ` +
        "Check that something it is made of has requiresGrad = true and is not frozen, and that it was not made in noGrad() or detached.",
    );
  if (cotangent === undefined && sizeOf(root.shape) !== 1)
    throw new GradientError(
      `${what}: the tensor has shape ${shapeText(root.shape)}, not one element; reduce it (sum or mean), or pass a gradient of its shape`,
    );
  if (cotangent !== undefined && !sameShape(cotangent.shape, root.shape))
    throw new ShapeError(
      `${what}: the gradient has shape ${shapeText(cotangent.shape)}, the tensor ${shapeText(root.shape)}`,
    );
  return withGrad(createGraph, () => {
    const stopAt = (v: Node<"variable">): boolean =>
      v.attrs.owner instanceof Computed || wants(v.attrs.owner);
    const start = cotangent ?? filled(1, root.shape, computeDtype(root.dtype));
    const found = backward(root, start, { stopAt });
    // Whatever was computed last can depend on what was computed before, never the other way round.
    for (let last = latest(found); last !== null; last = latest(found)) {
      const g = found.get(last)!;
      found.delete(last);
      if (currentTrace().recording && last.trace !== currentTrace())
        throw new CaptureError(
          `${what}: it reaches a tensor that was made outside the captured function; make it inside, or detach it`,
        );
      for (const [owner, more] of backward(last.history, g, { stopAt })) {
        const before = found.get(owner);
        found.set(owner, before ? add(before, more) : more);
      }
    }
    return found;
  });
}

function latest(found: ReadonlyMap<object, Node>): Computed | null {
  let last: Computed | null = null;
  for (const owner of found.keys())
    if (owner instanceof Computed && (last === null || owner.ordinal > last.ordinal)) last = owner;
  return last;
}
