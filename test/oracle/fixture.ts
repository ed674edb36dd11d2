import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type DType, dtypes, roundTo } from "../../src/base/dtype.ts";

/** A tensor as a fixture holds it; what JSON cannot say is a string. */
export interface Fixture {
  shape: number[];
  dtype: string;
  data: (number | string)[];
}

/** A fixture of this folder. */
export function readFixture<T>(name: string): T {
  return JSON.parse(gunzipSync(readFileSync(new URL(name, import.meta.url))).toString());
}

const byTorchName = new Map(Object.entries(dtypes).map(([name, { torch }]) => [torch, name as DType]));

/** The dtype of one of PyTorch's names. */
export function dtypeOf(torch: string): DType {
  const dtype = byTorchName.get(torch);
  if (dtype === undefined) throw new Error(`no dtype is PyTorch's ${torch}`);
  return dtype;
}

/** A fixture's tensor with numbers for its strings, rounded to its dtype as its nine digits are meant. */
export function valuesOf(tensor: Fixture): { data: number[]; shape: number[]; dtype: DType } {
  const dtype = dtypeOf(tensor.dtype);
  return { data: tensor.data.map((v) => roundTo(dtype, Number(v))), shape: tensor.shape, dtype };
}
