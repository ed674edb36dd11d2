import type { Node } from "../ir/node.ts";
import { isOne, sameDim } from "./dim.ts";
import type { Emitter } from "./emitter.ts";
import { quantizedRows } from "./quantize.ts";

/**
 * Elements at indices. Where indices are one a row, repeated along all other dimensions, they are rows of a table, which
 * operators take as they are.
 */
export function gathered(e: Emitter, n: Node<"gather">): void {
  const [data, indices] = n.src as [Node, Node];
  const { axis } = n.attrs;
  const dims = e.dims(n);
  const own = e.ranked(indices);
  const isRows =
    e.dims(data).every((d, i) => i === axis || sameDim(d, dims[i]!)) &&
    own.dims.every((d, i) => i === axis || isOne(d));
  if (!isRows) {
    e.put(n, "GatherElements", [e.whole(data).name, e.whole(indices).name], { axis });
    return;
  }
  const vector = e.reshape(own, [own.dims[axis]!]);
  const table = e.stored(data);
  if (
    e.quantized &&
    axis === 0 &&
    table !== null &&
    !table.isTransposed &&
    dims.length === 2 &&
    data.dtype === "f32"
  ) {
    e.set(n, { name: quantizedRows(e, table, vector.name), dims: [own.dims[0]!, dims[1]!] });
    return;
  }
  const name = e.graph.node("Gather", [e.whole(data).name, vector.name], { axis });
  e.set(n, { name, dims: dims.map((d, i) => (i === axis ? own.dims[axis]! : d)) });
}
