import type { ContractParts } from "./contract-parts.ts";

/** The name of the function of a tile. */
const nameOf = (rows: number, vectors: number): string => `tile_${rows}_${vectors}`;

/** Bytes from one row to the next, and from one depth to the next, in a packed panel of the left operand. */
export function leftStrides({ kernel, lanes, tile, scratch }: LeftParts): { row: number; depth: number } {
  return kernel.leftUnit === "m"
    ? { row: 4, depth: Math.ceil(tile.rows / lanes) * lanes * 4 }
    : { row: scratch.leftStride, depth: 4 };
}

type LeftParts = Pick<ContractParts, "kernel" | "lanes" | "tile" | "scratch">;

/**
 * tile_R_V(a, b, depth, sums, keep): multiplies one packed panel of R rows with V vectors of columns, and adds the
 * products to rows of sums, or starts those where `keep` is 0. Written out, so that every compiler keeps the sums in
 * registers.
 */
export function emitTile(
  parts: LeftParts & Pick<ContractParts, "w" | "sumStride">,
  rows: number,
  vectors: number,
): void {
  const { w, lanes, tile, sumStride } = parts;
  const bytes = lanes * 4;
  const left = leftStrides(parts);
  const each = (body: (name: string, r: number, v: number) => void) => {
    for (let r = 0; r < rows; r++) for (let v = 0; v < vectors; v++) body(`c${r}_${v}`, r, v);
  };
  const place = (r: number, v: number) => `*(v_f32_m *)(sums + ${r * sumStride + v * bytes})`;
  w.block(
    `static void ${nameOf(rows, vectors)}(const char *a, const char *b, i64 depth, char *sums, int keep)`,
    () => {
      each((name) => w.line(`vf ${name} = {0};`));
      w.block("if (keep)", () => each((name, r, v) => w.line(`${name} = ${place(r, v)};`)));
      w.block(`for (i64 p = 0; p < depth; p++, a += ${left.depth}, b += ${tile.vectors * bytes})`, () => {
        for (let v = 0; v < vectors; v++) w.line(`const vf b${v} = *(const v_f32_m *)(b + ${v * bytes});`);
        for (let r = 0; r < rows; r++) {
          w.line(`const vf a${r} = splat_vf(*(const f32_m *)(a + ${r * left.row}));`);
          for (let v = 0; v < vectors; v++) w.line(`c${r}_${v} = fma_vf(a${r}, b${v}, c${r}_${v});`);
        }
      });
      each((name, r, v) => w.line(`${place(r, v)} = ${name};`));
    },
  );
}

/**
 * multiply(rows, left, right, depth, columns, sums, keep): a packed panel of rows times all packed panels of columns.
 * The last panel may be less wide.
 */
export function emitMultiply(parts: ContractParts): void {
  const { w, lanes, tile } = parts;
  const heights = [tile.rows, ...tile.lesser];
  for (const rows of heights) for (let v = tile.vectors; v >= 1; v--) emitTile(parts, rows, v);
  const columns = tile.vectors * lanes;
  const head =
    "static void multiply(int rows, const char *left, const char *right, i64 depth, i64 columns, char *sums, int keep)";
  w.block(head, () => {
    w.block(
      `for (; columns > 0; columns -= ${columns}, right += depth * ${columns * 4}, sums += ${columns * 4})`,
      () => {
        for (let v = 1; v <= tile.vectors; v++) {
          const body = () => {
            w.block("switch (rows)", () => {
              for (const rows of heights)
                w.line(`case ${rows}: ${nameOf(rows, v)}(left, right, depth, sums, keep); break;`);
            });
          };
          if (v < tile.vectors) w.block(`${v > 1 ? "else " : ""}if (columns <= ${v * lanes})`, body);
          else w.block("else", body);
        }
      },
    );
  });
}
