import { dtypes } from "../../base/dtype.ts";
import { accessesOf } from "../../plan/kernel.ts";
import { advance, argumentLoader, type ContractParts, lanesOf, loopWhile, place } from "./contract-parts.ts";
import { emitStore, emitValues, type ValueContext } from "./value.ts";

/** finish(args, m0, rows, n0, columns, sums): the epilogue, over rows of whole sums that are `sumStride` bytes apart. */
export function emitFinish(parts: ContractParts, sumStride: number): number {
  const { kernel, module, scratch, math, relaxed, sums } = parts;
  const f = module.func("finish", ["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [m0, rows, n0, columns, sumRow] = [1, 2, 3, 4, 5] as const;
  const local = () => f.local("i32");
  const load = argumentLoader(f, kernel);
  const roots = kernel.stores.map((s) => s.value);
  const used = [...new Set([...accessesOf(kernel.epilogue, roots), ...kernel.stores.map((s) => s.access)])];
  const lanes = lanesOf(kernel.epilogue, kernel.accesses, used, sums);
  const indices = new Set(kernel.epilogue.flatMap((v) => (v.op === "index" ? [v.access] : [])));
  const line = new Map(used.map((a) => [a, local()]));
  const at = new Map(used.map((a) => [a, local()]));
  const rowStride = (a: number) => load.stride(a, kernel.batch);
  const columnStride = (a: number) => load.stride(a, kernel.batch + 1);
  for (const a of used) {
    f.globalGet(scratch);
    f.memory("i32.load", a * 4);
    f.set(line.get(a)!);
    place(f, line.get(a)!, line.get(a)!, rowStride(a), m0);
    place(f, line.get(a)!, line.get(a)!, columnStride(a), n0);
    if (load.hasAxis(a)) load.axisStride(a);
  }
  const [i, j, sumAt] = [local(), local(), local()];
  const sum = f.local("v128");
  const loadSum = (single: boolean) => {
    f.get(sumAt);
    if (single) f.memory(`v128.load${sums.bytes * 8}_splat`);
    else f.memory(lanes * sums.bytes === 16 ? "v128.load" : "v128.load64_zero");
    if (kernel.dtype === "u8") {
      f.i32x4(255);
      f.op("v128.and");
    }
    f.set(sum);
  };
  const block = (single: boolean) => {
    const context: ValueContext = {
      f,
      math,
      accesses: kernel.accesses,
      lanes,
      single,
      relaxed,
      pointer: (a) => at.get(a)!,
      step: columnStride,
      axisStride: load.axisStride,
    };
    loadSum(single);
    const known = new Map(
      kernel.epilogue.flatMap((v, index) => (v.op === "accumulator" ? [[index, sum] as const] : [])),
    );
    const values = emitValues(context, kernel.epilogue, roots, known);
    for (const [s, store] of kernel.stores.entries()) emitStore(context, store.access, values[s]!);
    const count = single ? 1 : lanes;
    for (const a of used) {
      const { vector, dtype } = kernel.accesses[a]!;
      if (vector === "unit") f.bump(at.get(a)!, count * (indices.has(a) ? 1 : dtypes[dtype].bytes));
      else if (vector === "strided") advance(f, at.get(a)!, columnStride(a), count);
    }
    f.bump(sumAt, count * sums.bytes);
    f.bump(j, count);
  };
  loopWhile(f, i, 1, rows, () => {
    for (const a of used) {
      f.get(line.get(a)!);
      f.set(at.get(a)!);
    }
    f.get(sumRow);
    f.set(sumAt);
    f.i32(0);
    f.set(j);
    loopWhile(f, j, lanes, columns, () => block(false));
    loopWhile(f, j, 1, columns, () => block(true));
    for (const a of used) advance(f, line.get(a)!, rowStride(a), 1);
    f.bump(sumRow, sumStride);
    f.bump(i, 1);
  });
  return f.index;
}
