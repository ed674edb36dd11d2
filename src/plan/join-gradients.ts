import { sizeOf } from "../base/shape.ts";
import { sliceAxis } from "../ir/build.ts";
import { attentionNames, attentionOperands, gradientShapes } from "../ir/infer-attention.ts";
import { isOp, type Node, node } from "../ir/node.ts";
import { viewOf } from "./view.ts";

/** Attention, or its gradient. */
export type AttentionNode = Node<"attention"> | Node<"attentionGradient">;

/** Whether a node is attention's, or its gradient's. */
export const isAttentionNode = (n: Node): n is AttentionNode =>
  isOp(n, "attention") || isOp(n, "attentionGradient");

/** Attention with operands in memory, packed along their last dimension where a kernel reads them by vectors. */
export function prepareAttention(n: AttentionNode, copyOf: (x: Node) => Node): Node {
  const src = n.src.map((x) => {
    const { base, strides } = viewOf(x);
    const isMemory = !isOp(base, "constant") && !isOp(base, "iota") && !isOp(base, "hostScalar");
    const isRows = x.shape.length === 4 && n.src.indexOf(x) > 2;
    return isMemory && (isRows || x.shape.at(-1) === 1 || strides.at(-1) === 1) ? x : copyOf(x);
  });
  return src.every((x, i) => x === n.src[i]) ? n : node(n.op, src, n.attrs as never, false);
}

/** The gradients of one attention, as one node: whoever wants several of its operands' has weights made anew once. */
export class JoinedGradients {
  readonly #of = new Map<string, Set<number>>();
  readonly #made = new Map<string, Node>();

  constructor(order: readonly Node[]) {
    for (let place = 0; place < order.length; place++) {
      const n = order[place]!;
      if (!isOp(n, "attentionGradient")) continue;
      const key = keyOf(n);
      this.#of.set(key, new Set([...(this.#of.get(key) ?? []), ...n.attrs.of]));
    }
  }

  /** The part of the node for all operands that one for some of them is; `src`: its operands as they have become. */
  part(n: Node<"attentionGradient">, src: readonly Node[], prepare: (joined: Node) => Node): Node {
    const key = keyOf(n);
    const wanted = this.#of.get(key)!;
    const of = [...wanted].sort();
    const operands = attentionOperands(src, n.attrs);
    const [logSums] = operands.rest;
    // Of values alone the gradient needs no sums of gradient and result, which then are not computed.
    const isValue = of.length === 1 && of[0] === 2;
    const needed = isValue ? src.with(src.length - 2, logSums!) : src;
    const whole =
      this.#made.get(key) ?? prepare(node("attentionGradient", needed, { ...n.attrs, of }, false));
    this.#made.set(key, whole);
    const shapes = gradientShapes(operands, n.attrs);
    const before = of.slice(0, of.indexOf(n.attrs.of[0]!));
    const start = before.reduce((sum, i) => sum + sizeOf(shapes[attentionNames[i]!]), 0);
    return sliceAxis(whole, 0, start, sizeOf(n.shape));
  }
}

const keyOf = ({ src, attrs: { causal, scale, dropout } }: Node<"attentionGradient">): string =>
  `${src.map(({ id }) => id)} ${causal} ${scale} ${dropout}`;
