import { ArgumentError } from "../base/errors.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { cast } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { noGrad } from "./autograd.ts";
import { add, and, div, full, gt, mul, sub, where } from "./operations/elementwise.ts";
import * as indexing from "./operations/indexing.ts";
import { reshape, unsqueeze } from "./operations/movement.ts";
import { norm } from "./operations/reduction.ts";
import { Parameter } from "./parameter.ts";
import { ranksOfStep, sumOverRanks } from "./ranks-of-step.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";
import { writable } from "./trained-now.ts";

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** A row that gets no gradient; negative ones count from the end. */
  paddingIdx?: number | null;
  /** The length that rows are shortened to, in the table itself, as they are looked up; but not what is frozen, or not trained by the step that runs. In a group: rows that any rank looks up, on all. */
  maxNorm?: number | null;
  /** Which norm `maxNorm` is of; 2. */
  normType?: number;
  /** Whether the gradient of a row is divided by how often the row is looked up. */
  scaleGradByFreq?: boolean;
}

/** Rows of a table, [rows, dims], at integer indices of any shape, in [0, rows). */
export const embedding = checked(
  "embedding",
  takes(
    { index: kind.tensor, weight: kind.tensor },
    {
      paddingIdx: kind.nullable(kind.whole),
      maxNorm: kind.nullable(kind.number),
      normType: kind.number,
      scaleGradByFreq: kind.boolean,
    },
  ),
  embeddingOf,
);

function embeddingOf(
  index: Tensor,
  weight: Tensor,
  { paddingIdx = null, maxNorm = null, normType = 2, scaleGradByFreq = false }: EmbeddingOptions = {},
): Tensor {
  if (maxNorm !== null) shorten(index.node, weight, maxNorm, normType);
  const found = indexing.embedding(index.node, weight.node, paddingIdx ?? undefined);
  if (!scaleGradByFreq) return new Tensor(found);
  const times = indexing.embedding(index.node, unsqueeze(counts(index.node, weight), 1));
  const still = node("detach", [found], {});
  return new Tensor(add(still, div(sub(found, still), cast(times, found.dtype))));
}

/** How often each row of a table is looked up, i32. */
function counts(index: Node, { shape }: Tensor): Node {
  const rows = shape.slice(0, 1);
  const flat = reshape(index, [sizeOf(index.shape)]);
  return indexing.scatterAdd(full(rows, 0, "i32"), 0, flat, full(flat.shape, 1, "i32"));
}

/** Which rows of a table are looked up: by any rank, in a step of several, or each would shorten rows of its own. */
function lookedUp(index: Node, weight: Tensor): Node {
  const own = gt(counts(index, weight), 0);
  const ranks = ranksOfStep();
  if (ranks === null) return own;
  ranks.note(null, `embedding with maxNorm of a table of shape ${shapeText(weight.shape)}`);
  const [all] = sumOverRanks(ranks, [new Tensor(cast(own, "f32"))]) as [Tensor];
  return gt(all.node, 0);
}

/** Shortens the rows that are looked up to a length, in place, outside of autograd. */
function shorten(index: Node, weight: Tensor, maxNorm: number, normType: number): void {
  if (Number.isNaN(maxNorm) || Number.isNaN(normType))
    throw new ArgumentError(`embedding: maxNorm is ${maxNorm} and normType ${normType}; both are numbers`);
  const part = weight instanceof Parameter ? writable(weight) : null;
  if (part === "none") return;
  noGrad(() => {
    const table = weight.detach().node;
    const lengths = norm(table, normType, 1, true);
    const long = and(unsqueeze(lookedUp(index, weight), 1), gt(lengths, maxNorm));
    const shortened = where(long, mul(table, div(maxNorm, add(lengths, 1e-7))), table);
    const value = part === null ? shortened : part.put(table, part.take(shortened));
    weight.copy_(new Tensor(value));
  });
}
