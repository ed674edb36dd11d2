import type { Emitter } from "./emitter.ts";
import { bytesOf } from "./onnx-graph.ts";
import type { Stored } from "./stored.ts";

/** The byte that stands for 0: weights are as often below it as above. */
const zero = 128;

/** Numbers as bytes: of each column, or row, those of its largest magnitude are 127 steps from `zero`. */
interface Quantized {
  readonly bytes: Uint8Array;
  /** How large a step is, of each column or row. */
  readonly scales: Float32Array;
}

/** A matrix as bytes, with a scale for each row (0) or each column (1). */
export function quantize(dims: readonly number[], data: ArrayLike<number>, axis: 0 | 1): Quantized {
  const [rows, columns] = dims as [number, number];
  const scales = new Float32Array(dims[axis]!);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = axis === 0 ? i : j;
      scales[at] = Math.max(scales[at]!, Math.abs(data[i * columns + j]!));
    }
  for (let s = 0; s < scales.length; s++) scales[s] = scales[s] === 0 ? 1 : scales[s]! / 127;
  const bytes = new Uint8Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      bytes[i * columns + j] = zero + Math.round(data[i * columns + j]! / scales[axis === 0 ? i : j]!);
  return { bytes, scales };
}

/** Initializers of a matrix as bytes: those, and the scales of its rows (0) or columns (1), of a shape. */
function quantized(
  e: Emitter,
  stored: Stored,
  axis: 0 | 1,
  shape: readonly number[],
): readonly [string, string] {
  const { key, label, dims, read } = stored;
  let parts: Quantized | null = null;
  const made = (): Quantized => (parts ??= quantize(dims, read(), axis));
  return [
    e.once(`bytes ${axis} ${key}`, () => e.graph.initializer(`${label}_quantized`, "u8", dims, made().bytes)),
    e.once(`scales ${axis} ${key} ${shape}`, () =>
      e.graph.initializer(`${label}_scale`, "f32", shape, bytesOf(made().scales)),
    ),
  ];
}

/**
 * x times a weight that is stored as bytes, a scale for each column: x is made bytes when it is known, by its smallest and
 * largest number, and products are of whole numbers. Both operands are unsigned: products of signed with unsigned bytes
 * overflow in processors that have no instruction for them.
 */
export function quantizedProduct(e: Emitter, x: string, weight: Stored): string {
  const { graph } = e;
  const axis = weight.isTransposed ? 0 : 1;
  const [bytes, scale] = quantized(e, weight, axis, [weight.dims[axis]!]);
  const [own, ownScale, ownZero] = e.asBytes(x);
  const w = weight.isTransposed ? e.transposed(bytes) : bytes;
  const sums = graph.node("MatMulInteger", [own, w, ownZero, e.number(zero, "u8")]);
  return graph.node("Mul", [e.cast(sums, "f32"), graph.node("Mul", [scale, ownScale])]);
}

/** Rows of a table that is stored as bytes, a scale for each row. */
export function quantizedRows(e: Emitter, table: Stored, indices: string): string {
  const { graph } = e;
  const names = quantized(e, table, 0, [table.dims[0]!, 1]);
  const [found, steps] = names.map((name) => graph.node("Gather", [name, indices], { axis: 0 })) as [
    string,
    string,
  ];
  return graph.node("Mul", [graph.node("Sub", [e.cast(found, "f32"), e.number(zero, "f32")]), steps]);
}
