import { argumentReader, type ContractParts, placed } from "./contract-parts.ts";

/** Rows and columns whose sums are kept in registers together, each a vector along k. */
const side = 4;

/**
 * dot(args, at, m0, rows, n0, columns, k, sums): a product of few rows whose operands both lie along k. Nothing is packed:
 * each row of the right operand, which may be large, is read once from memory; sums are vectors whose lanes are added at
 * the end.
 */
export function emitDot(parts: ContractParts): void {
  const { kernel, w, lanes, sumStride } = parts;
  const access = (which: "left" | "right") => {
    const value = kernel.prologue[kernel[which]]!;
    return "access" in value ? value.access : -1;
  };
  const [left, right] = [access("left"), access("right")];
  const name = (rows: number, columns: number) => `dot_${rows}_${columns}`;
  const sizes = [side, 1];
  for (const rows of sizes)
    for (const columns of sizes)
      w.block(
        `static void ${name(rows, columns)}(const char *a, i64 as, const char *b, i64 bs, i64 k, char *sums)`,
        () => {
          const pairs = Array.from(
            { length: rows * columns },
            (_, i) => [Math.floor(i / columns), i % columns] as const,
          );
          for (const [r, c] of pairs) w.line(`vf c${r}_${c} = {0};`);
          const step = (live: string | null) => {
            const load = (from: string) =>
              live === null
                ? `*(const v_f32_m *)(${from} + j * 4)`
                : `load_part_vf(${from} + j * 4, ${live})`;
            for (let c = 0; c < columns; c++) w.line(`const vf b${c} = ${load(`b + ${c} * bs`)};`);
            for (let r = 0; r < rows; r++) {
              w.line(`const vf a${r} = ${load(`a + ${r} * as`)};`);
              for (let c = 0; c < columns; c++) w.line(`c${r}_${c} = fma_vf(a${r}, b${c}, c${r}_${c});`);
            }
          };
          w.line("i64 j = 0;");
          w.block(`for (; j + ${lanes} <= k; j += ${lanes})`, () => step(null));
          w.block("if (j < k)", () => step(w.define("int", "(int)(k - j)", "live")));
          for (const [r, c] of pairs) {
            for (let n = lanes / 2; n >= 1; n /= 2) w.line(`c${r}_${c} += rotate${n}_vf(c${r}_${c});`);
            w.line(`*(f32_m *)(sums + ${r * sumStride + c * 4}) = c${r}_${c}[0];`);
          }
        },
      );
  const head =
    "static void dot(const i64 *args, char **at, i64 m0, i64 rows, i64 n0, i64 columns, i64 k, char *sums)";
  w.block(head, () => {
    const reader = argumentReader(parts);
    const [as, bs] = [reader.stride(left, 0), reader.stride(right, 1)];
    const a = placed(parts, left, `m0 * ${as}`);
    const b = placed(parts, right, `n0 * ${bs}`);
    const loops = (rows: string, columns: string, height: number, width: number) =>
      w.line(
        `${name(height, width)}(${a} + ${rows} * ${as}, ${as}, ${b} + ${columns} * ${bs}, ${bs}, k, sums + ${rows} * ${sumStride} + ${columns} * 4);`,
      );
    const down = (columns: string, width: number) => {
      w.line("i64 i = 0;");
      w.line(`for (; i + ${side} <= rows; i += ${side})`);
      loops("i", columns, side, width);
      w.line("for (; i < rows; i++)");
      loops("i", columns, 1, width);
    };
    w.line("i64 c = 0;");
    w.block(`for (; c + ${side} <= columns; c += ${side})`, () => down("c", side));
    w.block("for (; c < columns; c++)", () => down("c", 1));
  });
}
