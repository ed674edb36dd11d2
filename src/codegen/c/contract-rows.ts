import { operandReader } from "./contract-pack.ts";
import type { ContractParts } from "./contract-parts.ts";
import { leftStrides } from "./micro.ts";
import { fewRows } from "./tiling.ts";

/**
 * rows_R(args, at, n0, columns, k0, depth, left, sums), for each number of few rows: adds their products to the sums. The
 * right operand is evaluated where it is, once, some of its rows abreast, so that a sum comes from the cache once for
 * several products.
 */
export function emitRows(parts: ContractParts): void {
  const { w, lanes, sumStride } = parts;
  const left = leftStrides(parts);
  for (let rows = 1; rows <= fewRows; rows++) {
    const head = `static void rows_${rows}(const i64 *args, char **at, i64 n0, i64 columns, i64 k0, i64 depth, const char *left, char *sums)`;
    w.block(head, () => {
      const { value } = operandReader(parts, "right", "n0");
      /** `abreast` depths from `p` on. */
      const step = (abreast: number) => {
        const factor: string[][] = [];
        for (let u = 0; u < abreast; u++)
          factor.push(
            Array.from({ length: rows }, (_, r) =>
              w.define(
                "vf",
                `splat_vf(*(const f32_m *)(left + ${r * left.row} + (p + ${u}) * ${left.depth}))`,
              ),
            ),
          );
        const sum = (r: number) => `*(v_f32_m *)(sums + ${r * sumStride} + c * 4)`;
        const vector = (live: string | null) => {
          for (let r = 0; r < rows; r++) w.line(`vf s${r} = ${sum(r)};`);
          for (let u = 0; u < abreast; u++) {
            const b = value("c", `(p + ${u})`, live);
            for (let r = 0; r < rows; r++) w.line(`s${r} = fma_vf(${factor[u]![r]}, ${b}, s${r});`);
          }
          for (let r = 0; r < rows; r++) w.line(`${sum(r)} = s${r};`);
        };
        w.line("i64 c = 0;");
        w.block(`for (; c + ${lanes} <= columns; c += ${lanes})`, () => vector(null));
        w.block("if (c < columns)", () => vector(w.define("int", "(int)(columns - c)", "live")));
      };
      const abreast = rows > 2 ? 4 : 8;
      w.line("i64 p = 0;");
      w.block(`for (; p + ${abreast} <= depth; p += ${abreast})`, () => step(abreast));
      w.block("for (; p < depth; p++)", () => step(1));
    });
  }
}
