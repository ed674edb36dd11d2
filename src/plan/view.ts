import { contiguousStrides, type Shape, sizeOf } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { View } from "../ir/op.ts";
import { sameCount, sameStride } from "./compare.ts";

/** The strides of the same elements under another shape, or null where no strides can say it. */
function reshapeStrides(shape: Shape, strides: readonly number[], next: Shape): number[] | null {
  const result = new Array<number>(next.length).fill(0);
  let i = 0;
  let j = 0;
  while (j < next.length) {
    if (next[j] === 1) {
      j++;
      continue;
    }
    while (i < shape.length && shape[i] === 1) i++;
    // A run of old axes and a run of new ones that hold as many elements.
    const oldStart = i;
    const newStart = j;
    let oldSize = shape[i++]!;
    let newSize = next[j++]!;
    while (oldSize !== newSize) {
      if (oldSize < newSize) oldSize *= shape[i++]!;
      else newSize *= next[j++]!;
    }
    for (let a = oldStart; a + 1 < i; a++) {
      let b = a + 1;
      while (b < i && shape[b] === 1) b++;
      if (b < i && shape[a] !== 1 && strides[a] !== strides[b]! * shape[b]!) return null;
    }
    let last = i - 1;
    while (last > oldStart && shape[last] === 1) last--;
    let step = strides[last]!;
    for (let b = j - 1; b >= newStart; b--) {
      result[b] = step;
      step *= next[b]!;
    }
  }
  return result;
}

/** The view that a node is, composed down to its base. A reshape that no strides can express is its own base. */
export function viewOf(n: Node): View {
  if (n.view !== null) return n.view;
  // A chain of views may be long: those that it is made of come first.
  const chain = [n];
  for (let at = n; isMovement(at) && at.src[0]!.view === null; chain.push(at)) at = at.src[0]!;
  for (let at = chain.pop(); at !== undefined; at = chain.pop()) at.view = compose(at);
  return n.view!;
}

const isMovement = (n: Node): boolean =>
  n.op === "reshape" || n.op === "permute" || n.op === "expand" || n.op === "slice" || n.op === "barrier";

/** A node as its own memory, row-major. */
const ownView = (n: Node): View => ({ base: n, offset: 0, strides: ownStrides(n) });

function ownStrides(n: Node): readonly number[] {
  if (isOp(n, "iota")) return alongAxis(n);
  // Most nodes have the shape of the one before them: of what they are made of, or of what is updated along with them.
  if (n.shape !== last.shape) last = { shape: n.shape, strides: contiguousStrides(n.shape) };
  return last.strides;
}

const alongAxis = ({ shape, attrs: { axis } }: Node<"iota">): number[] =>
  shape.map((_, i) => (i === axis ? 1 : 0));

/** The shape whose strides were asked for last. */
let last: { readonly shape: Shape; readonly strides: readonly number[] } = { shape: [], strides: [] };

// Each kind of movement is a function of its own: V8 makes room, at each call, for what functions inside of one share.
function compose(n: Node): View {
  if (isOp(n, "reshape")) return reshaped(n);
  if (isOp(n, "barrier")) return n.src[0]!.view!;
  if (isOp(n, "permute")) return permuted(n);
  if (isOp(n, "expand")) return expanded(n);
  return isOp(n, "slice") ? sliced(n) : ownView(n);
}

function reshaped(n: Node<"reshape">): View {
  const source = n.src[0]!;
  const { base, offset, strides } = source.view!;
  if (n.shape.includes(0)) return { base, offset, strides: contiguousStrides(n.shape) };
  const own = reshapeStrides(source.shape, strides, n.shape);
  return own === null ? ownView(n) : { base, offset, strides: own };
}

function permuted({ src: [source], attrs: { axes } }: Node<"permute">): View {
  const { base, offset, strides } = source!.view!;
  return { base, offset, strides: axes.map((a) => strides[a]!) };
}

function expanded({ src: [source], shape }: Node<"expand">): View {
  const { base, offset, strides } = source!.view!;
  // A number that is repeated has strides of 0 already.
  if (strides.every((s) => s === 0)) return { base, offset, strides };
  return { base, offset, strides: strides.map((s, i) => (source!.shape[i] === shape[i] ? s : 0)) };
}

function sliced({ src: [source], shape, attrs: { start, step } }: Node<"slice">): View {
  const { base, offset, strides } = source!.view!;
  const first = shape.includes(0) ? 0 : offset + start.reduce((sum, s, i) => sum + s * strides[i]!, 0);
  return { base, offset: first, strides: strides.map((s, i) => s * step[i]!) };
}

/** Whether a view is its whole base, row-major. */
export function isWhole(view: View, shape: Shape): boolean {
  if (view.offset !== 0 || isOp(view.base, "iota") || isOp(view.base, "constant")) return false;
  const expected = contiguousStrides(shape);
  let size = 1;
  for (let i = 0; i < shape.length; i++) {
    size *= shape[i]!;
    if (shape[i] !== 1 && !sameStride(view.strides[i]!, expected[i]!)) return false;
  }
  return sameCount(size, sizeOf(view.base.shape));
}

/** The strides of adjacent axes as if they were one, or null where they do not merge. Axes of size 1 vanish. */
export function mergeStrides(shape: Shape, strides: readonly number[]): number | null {
  let step: number | null = null;
  let expected = 0;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    if (step === null) step = strides[i]!;
    else if (strides[i] !== expected) return null;
    expected = strides[i]! * shape[i]!;
  }
  return step ?? 0;
}
