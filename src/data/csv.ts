import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { refuseOptions, wholeFrom } from "../base/options.ts";
import { fromArray } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Options of `parseCsv`. */
export interface CsvOptions {
  /** What separates values. Default a comma. */
  delimiter?: string;
  /** Lines to leave out at the start. Default 0. */
  skipRows?: number;
  /** Element type. Default f32. */
  dtype?: DType;
}

/** A table of numbers in text as a tensor [rows, columns]: `numpy.loadtxt`. Blank lines are left out. */
export function parseCsv(text: string, options: CsvOptions = {}): Tensor {
  refuseOptions("parseCsv", options, { delimiter: null, skipRows: wholeFrom(0), dtype: null });
  const { delimiter = ",", skipRows = 0, dtype = "f32" } = options;
  const values: number[] = [];
  let rows = 0;
  let columns = 0;
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (i < skipRows || line.trim() === "") continue;
    const fields = line.split(delimiter);
    if (rows++ === 0) columns = fields.length;
    if (fields.length !== columns)
      throw new ArgumentError(
        `parseCsv: line ${i + 1} has ${fields.length} values, those before it ${columns}`,
      );
    for (const field of fields) {
      const value = Number(field);
      if (field.trim() === "" || (Number.isNaN(value) && field.trim() !== "NaN"))
        throw new ArgumentError(
          `parseCsv: line ${i + 1} holds "${field.trim()}", which is not a number; skip a heading with skipRows`,
        );
      values.push(value);
    }
  }
  return fromArray(values, [rows, columns], { dtype });
}
