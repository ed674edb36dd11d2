import { sizeOf } from "../base/shape.ts";
import { copied } from "../ir/copied.ts";
import { isOp, type Node, node, topological } from "../ir/node.ts";
import type { Block } from "../ir/op.ts";
import { constantOf } from "../ir/simplify-builder.ts";

/** A block whose values gradients see as copies. */
interface Copied {
  readonly block: Block;
  /** The innermost of the blocks around it, as far as they are copied too. */
  readonly around: Copied | null;
  readonly phase: number;
  /** By node of the block, or from outside of it, what stands for it in the copy. */
  readonly copies: Map<Node, Node>;
}

/**
 * What the rules of one walk backwards see of blocks that are computed once more: copies of their nodes, made of what
 * comes into a block behind barriers. Each block has a phase of its own, in the order in which the walk comes to them, so
 * that a plan computes its copy after all that is done for the blocks that follow it. The copies are of the graph, and
 * their random bits those of the forward pass: nothing that a block did on the host, or wrote, happens again.
 */
export class Recomputation {
  readonly #copied: Copied[] = [];
  readonly #roots: readonly Node[];
  /** The highest phase so far. */
  #phase = -1;

  /** `roots` are what the walk begins with. */
  constructor(roots: readonly Node[]) {
    this.#roots = roots;
  }

  /** Has the nodes of a block seen as copies from now on. */
  enter(block: Block): void {
    if (this.#copied.some((known) => known.block === block)) return;
    if (this.#phase < 0) {
      // Gradients of gradients may have phases of a walk before.
      this.#phase = 0;
      for (const n of topological(this.#roots))
        if (isOp(n, "barrier")) this.#phase = Math.max(this.#phase, n.attrs.phase);
    }
    const around = this.#innermost((b) => b.first <= block.first && block.last <= b.last);
    this.#copied.push({ block, around, phase: ++this.#phase, copies: new Map() });
  }

  /** A node as gradients see it: itself, or its copy. */
  seen(n: Node): Node {
    const block = this.#copied.length === 0 ? null : this.#innermost((b) => isMember(b, n));
    return block === null ? n : copyIn(block, n);
  }

  /**
   * The same of what a rule has made since the node with the id `since`: with it, rules that hold on to nodes of the
   * forward pass see copies of them too.
   */
  seenIn(made: Node, since: number): Node {
    if (this.#copied.length === 0) return made;
    const copies = new Map<Node, Node>();
    return copied(made, copies, (n) => (n.id > since && !isOp(n, "variable") ? null : this.seen(n)));
  }

  #innermost(is: (block: Block) => boolean): Copied | null {
    let found: Copied | null = null;
    for (const c of this.#copied)
      if (is(c.block) && (found === null || c.block.first >= found.block.first)) found = c;
    return found;
  }
}

/** Leaves belong to no block: they stand in memory, or are where gradients end. Nor do sums over ranks: all came for them once. */
const isMember = ({ first, last }: Block, n: Node): boolean =>
  n.id > first && n.id <= last && n.src.length > 0 && !isOp(n, "variable") && !isOp(n, "allReduce");

/** Whether a node is a number or two that the host gives, as the key of random bits is: to keep those costs least. */
const isOfHost = (n: Node): boolean =>
  sizeOf(n.shape) <= 2 && (n.op === "hostScalar" || (n.src.length > 0 && n.src.every(isOfHost)));

function copyIn(at: Copied, n: Node): Node {
  return copied(n, at.copies, (other) => {
    if (isMember(at.block, other) && !isOfHost(other)) return null;
    if (constantOf(other) !== null) return other;
    const outside = at.around === null ? other : copyIn(at.around, other);
    return node("barrier", [outside], { phase: at.phase });
  });
}
