import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { writeAtomically } from "../base/storage/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Emitter } from "./emitter.ts";
import { normalizations, writeNormalization } from "./layer-norm.ts";
import { type InputSpec, recorded } from "./recorded.ts";
import { writeNode } from "./rules.ts";

/** What an exported function takes and gives. */
export interface ExportOnnxOptions {
  /**
   * The function's inputs by name: a dtype, and sizes; a size with a name (`"batch"`) may be another at each run. Whole
   * numbers are of int64 in the file. An input that nothing is made of is left out.
   */
  inputs: Readonly<Record<string, InputSpec>>;
  /** The names of what the function gives, in order. */
  outputs: readonly string[];
  /**
   * The largest that named sizes can be. A tensor that the function makes of one, other than of numbers in equal steps, is
   * in the file at that size, and cut at each run; without it such a function is refused.
   */
  largest?: Readonly<Record<string, number>>;
  /** `"q8"`: weights of products, and tables, are bytes, and products are of whole numbers. Default `"fp32"`. */
  precision?: "fp32" | "q8";
}

/**
 * Writes what a function of tensors computes, with the weights that it computes with, as a file that ONNX Runtime,
 * transformers.js and others run. The function is recorded with inputs of some sizes, not computed; sizes with names are
 * then dimensions of the file's that have those names.
 *
 * Takes the path of the file; a function of tensors by the names of `inputs`, which gives a list of as many tensors as
 * `outputs` has names; and options. What it calls must be in evaluation mode: nothing that draws random numbers.
 * Throws `ExportError` for what has no operator (sorting, bits, collectives), or depends on sizes in other ways than by
 * products of them; `FileError` for what cannot be written. No file is left half-written.
 * Source: ONNX, operator set 18; `torch.onnx.export`.
 */
export function exportOnnx(
  path: string,
  fn: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[],
  options: ExportOnnxOptions,
): void {
  refuseOptions("exportOnnx", options, { inputs: null, outputs: null, largest: null, precision: null });
  const file = onnxPieces(fn, options);
  writeAtomically(path, (append) => {
    for (const piece of file) append(piece);
  });
}

/** As `exportOnnx`, but gives the file in pieces. */
export function onnxPieces(
  fn: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[],
  { inputs, outputs, largest, precision = "fp32" }: ExportOnnxOptions,
): readonly Uint8Array[] {
  if (precision !== "fp32" && precision !== "q8")
    throw new ArgumentError(
      `exportOnnx: precision is ${JSON.stringify(precision)}; it can be "fp32" or "q8"`,
    );
  const function_ = recorded(fn, inputs, largest);
  if (function_.roots.length !== outputs.length)
    throw new ArgumentError(
      `exportOnnx: the function gives ${function_.roots.length} tensors, and outputs has ${outputs.length} names`,
    );
  const e = new Emitter(function_, precision === "q8");
  const used = new Set(function_.order);
  for (const [leaf, name] of function_.inputs) if (used.has(leaf)) e.input(leaf, name, inputs[name]!.dims);
  const { found, within } = normalizations(e);
  for (const n of function_.order) {
    const normalization = found.get(n);
    if (normalization !== undefined) writeNormalization(e, n, normalization);
    else if (!e.has(n) && !within.has(n)) writeNode(e, n);
  }
  for (const [i, root] of function_.roots.entries()) e.output(root, outputs[i]!);
  return e.graph.file("thaw");
}
