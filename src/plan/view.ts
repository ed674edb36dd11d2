import { contiguousStrides, type Shape } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { View } from "../ir/op.ts";

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
  if (isOp(n, "iota")) return n.shape.map((_, i) => (i === n.attrs.axis ? 1 : 0));
  // Most nodes have the shape of the one before them: of what they are made of, or of what is updated along with them.
  if (n.shape !== last.shape) last = { shape: n.shape, strides: contiguousStrides(n.shape) };
  return last.strides;
}

/** The shape whose strides were asked for last. */
let last: { readonly shape: Shape; readonly strides: readonly number[] } = { shape: [], strides: [] };

function compose(n: Node): View {
  const source = n.src[0];
  if (isOp(n, "reshape")) {
    const v = source!.view!;
    if (n.shape.includes(0)) return { base: v.base, offset: v.offset, strides: contiguousStrides(n.shape) };
    const strides = reshapeStrides(source!.shape, v.strides, n.shape);
    return strides === null ? ownView(n) : { base: v.base, offset: v.offset, strides };
  }
  if (isOp(n, "barrier")) return source!.view!;
  if (isOp(n, "permute")) {
    const v = source!.view!;
    return { base: v.base, offset: v.offset, strides: n.attrs.axes.map((a) => v.strides[a]!) };
  }
  if (isOp(n, "expand")) {
    const v = source!.view!;
    const strides = v.strides.map((s, i) => (source!.shape[i] === n.shape[i] ? s : 0));
    return { base: v.base, offset: v.offset, strides };
  }
  if (isOp(n, "slice")) {
    const v = source!.view!;
    const { start, step } = n.attrs;
    return {
      base: v.base,
      offset: n.shape.includes(0) ? 0 : v.offset + start.reduce((sum, s, i) => sum + s * v.strides[i]!, 0),
      strides: v.strides.map((s, i) => s * step[i]!),
    };
  }
  return ownView(n);
}

/** Whether a view is its whole base, row-major. */
export function isWhole(view: View, shape: Shape): boolean {
  if (view.offset !== 0 || isOp(view.base, "iota") || isOp(view.base, "constant")) return false;
  const expected = contiguousStrides(shape);
  let size = 1;
  for (let i = 0; i < shape.length; i++) {
    size *= shape[i]!;
    if (shape[i] !== 1 && view.strides[i] !== expected[i]) return false;
  }
  return size === view.base.shape.reduce((a, b) => a * b, 1);
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
