import { dtypes } from "../../base/dtype.ts";
import { accessesOf } from "../../plan/kernel.ts";
import { type CContext, emitStore } from "./access.ts";
import { argumentReader, type ContractParts, emitScalars, isIndex, placed } from "./contract-parts.ts";
import { emitValues } from "./value.ts";

/** finish(args, at, m0, rows, n0, columns, sums): the epilogue, over rows of whole sums. */
export function emitFinish(parts: ContractParts): void {
  const { kernel, target, w, lanes, sumStride } = parts;
  const head =
    "static void finish(const i64 *args, char **at, i64 m0, i64 rows, i64 n0, i64 columns, const char *sums)";
  w.block(head, () => {
    const read = argumentReader(parts);
    const roots = kernel.stores.map((s) => s.value);
    const used = [...new Set([...accessesOf(kernel.epilogue, roots), ...kernel.stores.map((s) => s.access)])];
    for (const a of used) {
      if (read.hasAxis(a)) read.axisStride(a);
      for (const d of [0, 1]) read.stride(a, d);
    }
    const context = (
      pointers: ReadonlyMap<number, string>,
      index: string | null,
      live: string | null,
    ): CContext => ({
      w,
      target,
      accesses: kernel.accesses,
      lanes,
      live,
      pointer: (a) => {
        const { vector, dtype } = kernel.accesses[a]!;
        if (index === null || vector === "uniform") return pointers.get(a)!;
        const unit = vector === "strided" ? read.stride(a, 1) : isIndex(kernel, a) ? 1 : dtypes[dtype].bytes;
        return `(${pointers.get(a)} + ${index} * ${unit})`;
      },
      step: (a) => read.stride(a, 1),
      axisStride: (a) => read.axisStride(a),
    });
    const fixed = new Map(
      used.map((a) => [a, kernel.accesses[a]!.level === "scalar" ? placed(parts, a, "0") : ""]),
    );
    const scalars = emitScalars(context(fixed, null, null), kernel.epilogue, roots);
    w.block(`for (i64 i = 0; i < rows; i++, sums += ${sumStride})`, () => {
      const row = new Map(
        used.map((a) => [a, placed(parts, a, `(m0 + i) * ${read.stride(a, 0)} + n0 * ${read.stride(a, 1)}`)]),
      );
      const vector = (live: string | null) => {
        const ctx = context(row, "j", live);
        const known = new Map(scalars);
        for (const [index, value] of kernel.epilogue.entries())
          if (value.op === "accumulator")
            known.set(index, w.define("vf", "*(const v_f32_m *)(sums + j * 4)"));
        const values = emitValues(ctx, kernel.epilogue, roots, known);
        for (const [s, store] of kernel.stores.entries()) emitStore(ctx, store.access, values[s]!);
      };
      w.line("i64 j = 0;");
      w.block(`for (; j + ${lanes} <= columns; j += ${lanes})`, () => vector(null));
      w.block("if (j < columns)", () => vector(w.define("int", "(int)(columns - j)", "live")));
    });
  });
}
