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
export function quantize({ dims, data }: Stored, axis: 0 | 1): Quantized {
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

/**
 * x times a weight that is stored as bytes, a scale for each column: x is made bytes when it is known, by its smallest and
 * largest number, and products are of whole numbers. Both operands are unsigned: products of signed with unsigned bytes
 * overflow in processors that have no instruction for them.
 */
export function quantizedProduct(e: Emitter, x: string, weight: Stored): string {
  const { bytes, scales } = quantize(weight, 1);
  const { graph } = e;
  const [rows, columns] = weight.dims as [number, number];
  const w = graph.initializer(`${weight.label}_quantized`, "u8", [rows, columns], bytes);
  const scale = graph.initializer(`${weight.label}_scale`, "f32", [columns], bytesOf(scales));
  const [own, ownScale, ownZero] = e.asBytes(x);
  const sums = graph.node("MatMulInteger", [own, w, ownZero, e.number(zero, "u8")]);
  return graph.node("Mul", [e.cast(sums, "f32"), graph.node("Mul", [scale, ownScale])]);
}

/** Rows of a table that is stored as bytes, a scale for each row. */
export function quantizedRows(e: Emitter, table: Stored, indices: string): string {
  const { bytes, scales } = quantize(table, 0);
  const { graph } = e;
  const [rows, columns] = table.dims as [number, number];
  const data = graph.initializer(`${table.label}_quantized`, "u8", [rows, columns], bytes);
  const scale = graph.initializer(`${table.label}_scale`, "f32", [rows, 1], bytesOf(scales));
  const [found, steps] = [data, scale].map((name) => graph.node("Gather", [name, indices], { axis: 0 })) as [
    string,
    string,
  ];
  return graph.node("Mul", [graph.node("Sub", [e.cast(found, "f32"), e.number(zero, "f32")]), steps]);
}
