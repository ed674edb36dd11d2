import { ArgumentError } from "../base/errors.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { isPlainObject } from "../engine/call-key.ts";
import { isGradEnabled, isOp, latestId, node } from "../ir/node.ts";
import type { Block } from "../ir/op.ts";
import { described } from "./argument-kinds.ts";
import { Tensor } from "./tensor.ts";

/** A function, or a module with its forward pass. */
type Callable<A extends unknown[], R> = ((...inputs: A) => R) | { forward(...inputs: A): R };

/**
 * `fn(...inputs)`, of which only what comes in is kept for the backward pass: that computes the rest once more, block by
 * block from the last, when the gradients of what follows are there. Takes less memory for more time: of a chain of
 * blocks, one at a time is there whole.
 *
 * Values and gradients have the same bits as without it. What is computed once more is the graph that `fn` has made, so
 * `fn` itself runs once: dropout draws the same bits, running statistics move once, and what else it does to the outside
 * is not done again. Inputs need not require a gradient for parameters within `fn` to get theirs; of what no gradient is
 * asked for, frozen layers in front say, nothing is computed again. Blocks may be in blocks, and gradients be
 * differentiated again.
 *
 * Takes a function or a module, and any arguments for it: tensors (any shape and dtype), or else. Gives what `fn` gives:
 * tensors, also in arrays and plain objects, and other values as they are.
 * Throws `ArgumentError` for what is neither function nor module, and where `fn` gives a promise.
 * Source: `torch.utils.checkpoint.checkpoint` with `use_reentrant=False`; Chen et al., "Training Deep Nets with Sublinear
 * Memory Cost", 2016. Example: `layers.reduce((h, layer) => checkpoint(layer, h), x).sum().backward()`.
 */
export function checkpoint<A extends unknown[], R>(fn: Callable<A, R>, ...inputs: A): R {
  const first = latestId();
  const result = callOf("checkpoint", fn)(...inputs);
  if (isPromiseLike(result)) {
    disown(result);
    throw new ArgumentError(
      "checkpoint: the function gave a promise; it must give its result at once. Await what it needs before the call.",
    );
  }
  return isGradEnabled() ? asResult(result, { first, last: latestId() }) : result;
}

function callOf<A extends unknown[], R>(op: string, fn: Callable<A, R>): (...inputs: A) => R {
  if (typeof fn === "function") return fn;
  if (typeof fn?.forward === "function") return (...inputs) => fn.forward(...inputs);
  throw new ArgumentError(
    `${op}: ${fn === null ? "null" : typeof fn} is no function, and no module with a forward pass`,
  );
}

/** What a block gives, as its result; what the block has not made stays as it is. */
function asResult<R>(result: R, block: Block): R {
  if (result instanceof Tensor) {
    const n = result.node;
    if (!n.tracked || n.id <= block.first || isOp(n, "variable")) return result;
    const made = new Tensor(node("recomputed", [n], { block }));
    made.kept = result.kept;
    return made as Tensor & R;
  }
  if (Array.isArray(result)) return result.map((x) => asResult(x, block)) as R;
  if (!isPlainObject(result)) return result;
  return Object.fromEntries(Object.entries(result).map(([name, x]) => [name, asResult(x, block)])) as R;
}

/**
 * A chain of layers in segments of equal length, of which all but the last are computed by `checkpoint`: the last is the
 * first that the backward pass needs.
 *
 * Takes functions or modules of one argument (an array, an `nn.Sequential`), the number of segments, and the input of
 * the first; gives the result of the last. What is left over by the division belongs to the last segment.
 * Throws `ArgumentError` for no layers, and where the number is not whole, or not from 1 to that of the layers.
 * Source: `torch.utils.checkpoint.checkpoint_sequential`. Example: `checkpointSequential(net, 4, x)`.
 */
export function checkpointSequential<T>(
  layers: Iterable<Callable<[input: T], T>>,
  segments: number,
  input: T,
): T {
  if (typeof (layers as Iterable<unknown> | null)?.[Symbol.iterator] !== "function")
    throw new ArgumentError(
      `checkpointSequential: layers is ${described(layers)}; give a list of functions and modules, or an nn.Sequential`,
    );
  const all = [...layers].map((layer) => callOf("checkpointSequential", layer));
  if (!Number.isInteger(segments) || segments < 1 || segments > all.length)
    throw new ArgumentError(
      `checkpointSequential: ${segments} segments of ${all.length} layers; give a whole number from 1 to that of the layers`,
    );
  const size = Math.floor(all.length / segments);
  const run =
    (from: number, to: number) =>
    (x: T): T =>
      all.slice(from, to).reduce((y, layer) => layer(y), x);
  let result = input;
  for (let i = 1; i < segments; i++) result = checkpoint(run((i - 1) * size, i * size), result);
  return run((segments - 1) * size, all.length)(result);
}
