import { ArgumentError, ShapeError } from "../base/errors.ts";
import { isPlain } from "../base/plain.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import type { Node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { blockDiag as blockDiagNode } from "./operations/arrangement.ts";
import { indexSelect } from "./operations/indexing.ts";
import { cat, reshape, stack } from "./operations/movement.ts";
import { broadcastTo } from "./operations/promote.ts";
import { checked, takes, takesAny } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Functions that put tensors together, named and behaving as PyTorch's. */

const listed = takes({ tensors: kind.tensors });

/** A node with at least so many dimensions: new ones in front, but the third behind. */
function atLeast(x: Node, rank: number): Node {
  const { shape } = x;
  if (shape.length >= rank) return x;
  if (rank < 3 || shape.length === 0)
    return reshape(x, [...new Array<number>(rank - shape.length).fill(1), ...shape]);
  return reshape(x, shape.length === 1 ? [1, shape[0]!, 1] : [...shape, 1]);
}

const nodesOf = (op: string, tensors: readonly Tensor[], rank: number): Node[] => {
  if (tensors.length === 0) throw new ArgumentError(`${op}: needs at least one tensor`);
  return tensors.map((t) => atLeast(t.node, rank));
};

/** Joined side by side: along the second dimension, vectors along their only one. */
export const hstack = checked("hstack", listed, (tensors: readonly Tensor[]): Tensor => {
  const parts = nodesOf("hstack", tensors, 1);
  return new Tensor(cat(parts, parts[0]!.shape.length === 1 ? 0 : 1));
});
/** Joined one below the other: vectors are rows. */
export const vstack = checked(
  "vstack",
  listed,
  (tensors: readonly Tensor[]): Tensor => new Tensor(cat(nodesOf("vstack", tensors, 2), 0)),
);
/** Joined along the third dimension. */
export const dstack = checked(
  "dstack",
  listed,
  (tensors: readonly Tensor[]): Tensor => new Tensor(cat(nodesOf("dstack", tensors, 3), 2)),
);
/** Joined side by side: vectors are columns. */
export const columnStack = checked("columnStack", listed, (tensors: readonly Tensor[]): Tensor => {
  const parts = nodesOf("columnStack", tensors, 0).map((x) =>
    x.shape.length < 2 ? reshape(x, [sizeOf(x.shape), 1]) : x,
  );
  return new Tensor(cat(parts, 1));
});

/** Of one tensor, or of each in a list. */
interface AtLeast {
  (x: Tensor): Tensor;
  (tensors: readonly Tensor[]): Tensor[];
}
const atLeastOf = (op: string, rank: number): AtLeast =>
  checked(op, takes({ x: kind.either(kind.tensor, kind.tensors) }), (x: Tensor | readonly Tensor[]) =>
    x instanceof Tensor
      ? new Tensor(atLeast(x.node, rank))
      : x.map((each) => new Tensor(atLeast(each.node, rank))),
  ) as AtLeast;

/** With at least one dimension. */
export const atleast1d = atLeastOf("atleast1d", 1);
/** With at least two dimensions. */
export const atleast2d = atLeastOf("atleast2d", 2);
/** With at least three dimensions. */
export const atleast3d = atLeastOf("atleast3d", 3);

/** Matrices along the diagonal of one. */
export const blockDiag = checked(
  "blockDiag",
  takesAny({ tensors: kind.tensor }),
  (...tensors: Tensor[]): Tensor => new Tensor(blockDiagNode(tensors.map((t) => t.node))),
);

/** Which of two vectors runs along the first dimension of a grid: the first ("ij"), or the second ("xy"). */
export type MeshgridIndexing = "ij" | "xy";

const gridPart: kind.Kind = {
  what: 'a tensor, a list of tensors or { indexing: "ij" or "xy" }',
  ok: (x) =>
    kind.tensor.ok(x) ||
    kind.tensors.ok(x) ||
    (isPlain(x) &&
      Object.entries(x).every(([k, v]) => k === "indexing" && (v === "ij" || v === "xy" || v === undefined))),
};

/**
 * Coordinates of the points of a grid, from a vector for each dimension: one after the other or in a list, and
 * `{ indexing }` last.
 */
export const meshgrid = checked(
  "meshgrid",
  takesAny({ tensors: gridPart }),
  (...args: (Tensor | readonly Tensor[] | { indexing?: MeshgridIndexing })[]): Tensor[] => {
    const vectors: Tensor[] = [];
    let indexing: MeshgridIndexing = "ij";
    for (const arg of args)
      if (arg instanceof Tensor) vectors.push(arg);
      else if (Array.isArray(arg)) vectors.push(...arg);
      else indexing = (arg as { indexing?: MeshgridIndexing }).indexing ?? "ij";
    if (vectors.length === 0) throw new ArgumentError("meshgrid: needs at least one tensor");
    for (const v of vectors) {
      if (v.ndim > 1) throw new ShapeError(`meshgrid: takes vectors, not shape ${shapeText(v.shape)}`);
      if (v.dtype !== vectors[0]!.dtype)
        throw new ArgumentError(
          `meshgrid: tensors of ${vectors[0]!.dtype} and ${v.dtype}; cast one to the other`,
        );
    }
    const order = vectors.map((_, i) => i);
    if (indexing === "xy" && vectors.length > 1) [order[0], order[1]] = [1, 0];
    const shape = order.map((i) => vectors[i]!.numel);
    return vectors.map((v, i) => {
      const along = shape.map((n, axis) => (order[axis] === i ? n : 1));
      return new Tensor(broadcastTo(reshape(v.node, along), shape, "meshgrid"));
    });
  },
);

/** Every row of elements, one of each vector. */
export const cartesianProd = checked(
  "cartesianProd",
  takesAny({ tensors: kind.tensor }),
  (...tensors: Tensor[]): Tensor => {
    for (const t of tensors)
      if (t.ndim !== 1) throw new ShapeError(`cartesianProd: takes vectors, not shape ${shapeText(t.shape)}`);
    if (tensors.length === 1) return tensors[0]!;
    const columns = meshgrid(...tensors).map((t) => reshape(t.node, [t.numel]));
    return new Tensor(stack(columns, 1));
  },
);

/** Every choice of r elements of a vector, in order, one a row. */
export const combinations = checked(
  "combinations",
  takes({ x: kind.tensor }, { r: kind.size, withReplacement: kind.boolean }),
  (x: Tensor, { r = 2, withReplacement = false }: { r?: number; withReplacement?: boolean } = {}): Tensor => {
    if (x.ndim !== 1) throw new ShapeError(`combinations: takes a vector, not shape ${shapeText(x.shape)}`);
    const places: number[] = [];
    const choose = (chosen: readonly number[]): void => {
      if (chosen.length === r) {
        places.push(...chosen);
        return;
      }
      const from = chosen.length === 0 ? 0 : chosen.at(-1)! + (withReplacement ? 0 : 1);
      for (let i = from; i < x.numel; i++) choose([...chosen, i]);
    };
    if (r > 0) choose([]);
    const picked = indexSelect(x.node, 0, hostNode(Int32Array.from(places), "i32", [places.length]));
    return new Tensor(r === 0 ? picked : reshape(picked, [places.length / r, r]));
  },
);

const along = takes(
  { x: kind.tensor, dim: kind.nullable(kind.dims) },
  { keepdim: kind.boolean, correction: kind.number },
);
/** How a variance is taken. */
interface VarianceOptions {
  keepdim?: boolean;
  correction?: number;
}

/** The variance and the mean. */
export const varMean = checked(
  "varMean",
  along,
  (x: Tensor, dim?: number | readonly number[], options: VarianceOptions = {}): [Tensor, Tensor] => [
    x.var(dim, options),
    x.mean(dim, { keepdim: options.keepdim ?? false }),
  ],
);
/** The standard deviation and the mean. */
export const stdMean = checked(
  "stdMean",
  along,
  (x: Tensor, dim?: number | readonly number[], options: VarianceOptions = {}): [Tensor, Tensor] => [
    x.std(dim, options),
    x.mean(dim, { keepdim: options.keepdim ?? false }),
  ],
);
