import { contiguousStrides, sameShape } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import { type Arranged, arrange, type Step } from "./arrange.ts";
import { clusterize, foldOf, type Group, iterated } from "./cluster.ts";
import { noteDifferences } from "./compare.ts";
import { describe, Form } from "./form.ts";
import type { Alike } from "./lower-alike.ts";
import type { PlanGraph } from "./plan.ts";
import type { Prepared } from "./prepare.ts";

/** What is decided about a graph before its kernels get memory. */
export interface Decided extends Arranged {
  readonly prologues: ReadonlySet<Node>;
  /** What is computed once more. */
  readonly copies: ReadonlySet<Node>;
  /** Which of its clusters are alike; null: nobody has looked. */
  readonly alike: Alike | null;
  /** Has the decisions taken again for graphs of this form, once it is known which clusters are alike. */
  readonly remember: (alike: Alike) => void;
}

/** The decisions about a graph, with nodes by their places in its order. */
interface Remembered {
  readonly form: Form;
  readonly prologues: readonly number[];
  readonly steps: readonly RememberedStep[];
  readonly needed: readonly number[];
  readonly inPlace: readonly (readonly [place: number, slot: number])[];
  readonly alike: Alike;
}

interface RememberedStep {
  readonly cluster: {
    readonly kind: Group["kind"];
    /** A member that has the cluster's iteration space. */
    readonly like: number;
    readonly folds: readonly number[] | null;
    readonly nodes: readonly number[];
    readonly rows: readonly number[];
    readonly sums: readonly number[];
  } | null;
  readonly copy: { readonly from: number; readonly check: boolean; readonly slot: number } | null;
  readonly reads: readonly number[];
}

/** Graphs of fewer nodes are planned about as soon as what was decided is found. */
const fewest = 64;
/** Graphs of one hash that decisions are remembered of: a length that is as large as something else has its own. */
const mostAlike = 4;
/** Nodes of all graphs together that decisions are remembered of; those go first that were asked for longest ago. */
const most = 150_000;

/**
 * Decides which nodes of a prepared graph become one kernel, in which order kernels run, and which write in place. These
 * decisions compare sizes with each other, with 0 and with 1, and nothing else of them (`compare.ts`). So where a graph is
 * another one but for sizes, as with a further batch or sequence length, and no two sizes are equal or different that were
 * not when they were compared, the decisions are those of that graph, and are taken over.
 */
export class Decisions {
  /** By hash of the form; that and those of one hash last asked for last. */
  readonly #known = new Map<number, Remembered[]>();
  #nodes = 0;

  decide(graph: PlanGraph, asked: Prepared): Decided {
    if (asked.order.length < fewest) return decideAnew(asked);
    const scalars = new Map<Node, number>();
    for (const [i, n] of graph.scalars.entries()) scalars.set(n, i);
    const description = describe(asked, scalars);
    if (description === null) return decideAnew(asked);
    const hash = description.hash();
    const alike = this.#known.get(hash) ?? [];
    const found = alike.findLast(({ form }) => form.fits(asked, description));
    if (found !== undefined) {
      this.#last(hash, [...alike.filter((other) => other !== found), found]);
      return again(found, asked);
    }
    const [decided, differences] = noteDifferences(() => decideAnew(asked));
    const remember = (alike: Alike): void => {
      const form = new Form(asked, describe(asked, scalars)!, differences);
      this.#keep(hash, remembered(form, decided, alike));
    };
    return { ...decided, remember };
  }

  #last(hash: number, alike: Remembered[]): void {
    this.#known.delete(hash);
    this.#known.set(hash, alike);
  }

  #keep(hash: number, decisions: Remembered): void {
    const alike = this.#known.get(hash) ?? [];
    alike.push(decisions);
    this.#nodes += decisions.form.nodes;
    this.#last(hash, alike);
    if (alike.length > mostAlike) this.#nodes -= alike.shift()!.form.nodes;
    for (const [oldest, known] of this.#known) {
      while (this.#nodes > most && known.length > 0) this.#nodes -= known.shift()!.form.nodes;
      if (known.length > 0) break;
      this.#known.delete(oldest);
    }
  }
}

const forget = (): void => {};

/** Decides about a graph whatever was decided about others. */
export function decideAnew(asked: Prepared): Decided {
  const clusters = clusterize(asked);
  const { prologues, phases } = clusters;
  return {
    ...arrange(asked, clusters),
    prologues,
    copies: phases?.copies ?? new Set(),
    alike: null,
    remember: forget,
  };
}

function places(nodes: readonly Node[]): number[] {
  const found = new Array<number>(nodes.length);
  for (let i = 0; i < nodes.length; i++) found[i] = nodes[i]!.index;
  return found;
}

/** Decisions as they are remembered. */
function remembered(form: Form, { steps, needed, inPlace, prologues }: Decided, alike: Alike): Remembered {
  return {
    form,
    prologues: places([...prologues]),
    steps: steps.map(({ cluster, copy, reads }) => ({
      cluster: cluster && {
        kind: cluster.kind,
        like: cluster.nodes.find((n) => sameShape(iterated(n), cluster.shape))!.index,
        folds: cluster.fold?.axes ?? null,
        nodes: places(cluster.nodes),
        rows: places(cluster.rows),
        sums: places(cluster.sums),
      },
      copy: copy && { ...copy, from: copy.from.index },
      reads: places(reads),
    })),
    needed: places([...needed]),
    inPlace: Array.from(inPlace, ([n, slot]) => [n.index, slot] as const),
    alike,
  };
}

/** What was decided about a graph, of one that is the same but for sizes. */
function again({ steps, needed, inPlace, prologues, alike }: Remembered, { order }: Prepared): Decided {
  const at = (place: number): Node => order[place]!;
  return {
    steps: steps.map(({ cluster, copy, reads }): Step => {
      const from = copy && { ...copy, from: at(copy.from) };
      if (cluster === null) return { cluster: null, copy: from, reads: reads.map(at) };
      const shape = iterated(at(cluster.like));
      const group: Group = {
        kind: cluster.kind,
        shape,
        strides: contiguousStrides(shape),
        fold: cluster.folds && foldOf(shape, cluster.folds),
        nodes: cluster.nodes.map(at),
        rows: cluster.rows.map(at),
        sums: cluster.sums.map((place) => at(place) as Node<"sum">),
      };
      return { cluster: group, copy: from, reads: reads.map(at) };
    }),
    needed: new Set(needed.map(at)),
    inPlace: new Map(inPlace.map(([place, slot]) => [at(place), slot])),
    prologues: new Set(prologues.map(at)),
    copies: new Set(),
    alike,
    remember: forget,
  };
}
