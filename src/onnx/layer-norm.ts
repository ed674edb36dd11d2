import { type Shape, sameShape, sizeOf } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { Op } from "../ir/op.ts";
import { isConstant } from "./dim.ts";
import { type Emitter, plain } from "./emitter.ts";

/** A node that a single operator stands for, and those that are of no use then. */
interface Normalization {
  readonly x: Node;
  readonly axis: number;
  readonly eps: number;
  readonly weight: Node;
  readonly bias: Node;
  readonly within: ReadonlySet<Node>;
}

/** Walks from results to operands, and notes what it has passed. */
class Walk {
  readonly passed = new Set<Node>();

  /** What a node is made of, without identities and what only repeats or renames dimensions. */
  through(n: Node): Node {
    let at = n;
    for (;;) {
      const next = plain(at);
      if (next === at && !isOp(at, "expand") && !isOp(at, "reshape")) return at;
      this.passed.add(at);
      at = next === at ? at.src[0]! : next;
    }
  }

  /** The operands of a node that is of some kind; null: it is of another. */
  operands(n: Node, op: Op): readonly [Node, Node] | null {
    const at = this.through(n);
    if (at.op !== op) return null;
    this.passed.add(at);
    return at.src as readonly [Node, Node];
  }

  number(n: Node): number | null {
    const at = this.through(n);
    this.passed.add(at);
    return isOp(at, "constant") ? at.attrs.value : null;
  }

  /** What a node is the mean of, along its last dimensions. */
  mean(n: Node): readonly [Node, number] | null {
    const [sum, count] = this.operands(n, "div") ?? [];
    const reduced = sum === undefined ? null : this.through(sum);
    if (reduced === null || !isOp(reduced, "sum")) return null;
    this.passed.add(reduced);
    const [x] = reduced.src as [Node];
    const { axes } = reduced.attrs;
    const rank = x.shape.length;
    const areLast = axes.every((a, i) => a === rank - axes.length + i);
    return areLast && this.number(count!) === sizeOf(axes.map((a) => x.shape[a]!)) ? [x, axes[0]!] : null;
  }
}

/** What is repeated over all but the last dimensions, of these sizes; null: it is not only that. */
function lastOf(n: Node, sizes: Shape): Node | null {
  const walk = new Walk();
  const end = walk.through(n);
  const hasThem = ({ shape }: Node): boolean => sameShape(shape.slice(-sizes.length), sizes);
  return sameShape(end.shape, sizes) && [n, ...walk.passed].every(hasThem) ? end : null;
}

/** What `layerNorm` makes of x, scaled and shifted, where a node is its result; null: it is another. */
function normalization(n: Node): Normalization | null {
  const walk = new Walk();
  const [scaled, bias] = walk.operands(n, "add") ?? [];
  const [standard, weight] = (scaled && walk.operands(scaled, "mul")) ?? [];
  const [centred, over] = (standard && walk.operands(standard, "mul")) ?? [];
  const [one, root] = (over && walk.operands(over, "div")) ?? [];
  if (root === undefined || walk.number(one!) !== 1) return null;
  const under = walk.through(root);
  if (!isOp(under, "sqrt")) return null;
  walk.passed.add(under);
  const [variance, eps] = walk.operands(under.src[0]!, "add") ?? [];
  const [squares, axis] = (variance && walk.mean(variance)) ?? [];
  const least = eps === undefined ? null : walk.number(eps);
  const [a, b] = (squares && walk.operands(squares, "mul")) ?? [];
  const [x, mean] = (centred && walk.operands(centred, "sub")) ?? [];
  const [of, along] = (mean && walk.mean(mean)) ?? [];
  const middle = centred && walk.through(centred);
  const isOne = a !== undefined && walk.through(a) === middle && walk.through(b!) === middle;
  if (!isOne || least === null || along !== axis || plain(of!) !== plain(x!)) return null;
  // Sizes are those of x, or of a row of it, or none: nothing has been taken for another dimension.
  const { shape } = x!;
  const row = [...shape.slice(0, axis), ...shape.slice(axis).map(() => 1)];
  const isOfX = ({ shape: s }: Node): boolean =>
    sameShape(s, shape) || sameShape(s, row) || sameShape(s, shape.slice(0, axis)) || sizeOf(s) === 1;
  if (!sameShape(n.shape, shape) || ![...walk.passed].every(isOfX)) return null;
  walk.passed.delete(n);
  const ends = [weight!, bias!].map((p) => lastOf(p, shape.slice(axis)));
  if (ends[0] === null || ends[1] === null) return null;
  return { x: x!, axis: axis!, eps: least, weight: ends[0]!, bias: ends[1]!, within: walk.passed };
}

/**
 * What nodes that an operator stands for are written as, and what need not be written for them: runtimes have a kernel for
 * it, and would do nine others in its place. Only of what nothing else uses.
 */
export function normalizations(e: Emitter): {
  readonly found: ReadonlyMap<Node, Normalization>;
  readonly within: ReadonlySet<Node>;
} {
  const { order, roots } = e.recorded;
  const users = new Map<Node, Node[]>();
  for (const n of order) for (const s of n.src) users.set(s, [...(users.get(s) ?? []), n]);
  const found = new Map<Node, Normalization>();
  const within = new Set<Node>();
  for (const n of order) {
    const made = isOp(n, "add") && n.dtype === "f32" ? normalization(n) : null;
    if (made === null) continue;
    const own = [made.weight, made.bias];
    const fits = own.every((p) => e.stored(p) !== null) && e.dims(made.x).slice(made.axis).every(isConstant);
    const isAlone = [...made.within].every(
      (m) =>
        e.stored(m) !== null ||
        (!roots.includes(m) && (users.get(m) ?? []).every((u) => u === n || made.within.has(u))),
    );
    if (!fits || !isAlone) continue;
    found.set(n, made);
    for (const m of made.within) if (e.stored(m) === null) within.add(m);
  }
  return { found, within };
}

/** Writes a normalization as an operator. */
export function writeNormalization(e: Emitter, n: Node, { x, axis, eps, weight, bias }: Normalization): void {
  const operands = [e.whole(x), e.value(weight), e.value(bias)].map(({ name }) => name);
  e.put(n, "LayerNormalization", operands, { axis, epsilon: { float: eps } });
}
