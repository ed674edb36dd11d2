import type { ProductPolicy } from "../../codegen/product-policy.ts";
import type { COperand, CTiles, Define } from "./print.ts";
import { CWriter } from "./writer.ts";

/** Rows of the tiles that do what is left of a panel, largest first. */
const lesser = [8, 4, 2, 1];

/** Where the elements of a tile's operands are: bytes from one to the next along rows, depths and so on; constants. */
interface Layout {
  /** What tiles of this layout are called after. */
  readonly name: string;
  readonly leftRow: number;
  readonly leftDepth: number;
  readonly rightDepth: number;
  readonly sumRow: number;
}

/**
 * name_R_V(a, b, depth, sums, keep): multiplies one packed panel of R rows with V vectors of columns, and adds the
 * products to rows of sums, or starts those where `keep` is 0. Written out, so that every compiler keeps the sums in
 * registers.
 */
export function writeTile(w: CWriter, rows: number, vectors: number, bytes: number, layout: Layout): void {
  const each = (body: (name: string, r: number, v: number) => void) => {
    for (let r = 0; r < rows; r++) for (let v = 0; v < vectors; v++) body(`c${r}_${v}`, r, v);
  };
  const place = (r: number, v: number) => `*(v_f32_m *)(sums + ${r * layout.sumRow + v * bytes})`;
  w.block(
    `static void ${layout.name}_${rows}_${vectors}(const char *a, const char *b, i64 depth, char *sums, int keep)`,
    () => {
      each((name) => w.line(`vf ${name} = {0};`));
      w.block("if (keep)", () => each((name, r, v) => w.line(`${name} = ${place(r, v)};`)));
      w.block(`for (i64 p = 0; p < depth; p++, a += ${layout.leftDepth}, b += ${layout.rightDepth})`, () => {
        for (let v = 0; v < vectors; v++) w.line(`const vf b${v} = *(const v_f32_m *)(b + ${v * bytes});`);
        for (let r = 0; r < rows; r++) {
          w.line(`const vf a${r} = splat_vf(*(const f32_m *)(a + ${r * layout.leftRow}));`);
          for (let v = 0; v < vectors; v++) w.line(`c${r}_${v} = fma_vf(a${r}, b${v}, c${r}_${v});`);
        }
      });
      each((name, r, v) => w.line(`${place(r, v)} = ${name};`));
    },
  );
}

/**
 * name(rows, columns, …): a panel of so many rows, tile by tile, with panels of columns that lie `next` bytes apart, of
 * which the last may be less wide.
 */
function writeMultiply(w: CWriter, rows: number, vectors: number, bytes: number, layout: Layout): void {
  const heights = [rows, ...lesser.filter((height) => height < rows)];
  for (const height of heights) for (let v = vectors; v >= 1; v--) writeTile(w, height, v, bytes, layout);
  const width = (vectors * bytes) / 4;
  const head = `static void ${layout.name}(i64 rows, i64 columns, const char *left, const char *b, i64 depth, i64 next, char *sums, int keep)`;
  w.block(head, () => {
    w.block(`for (; columns > 0; columns -= ${width}, b += next, sums += ${width * 4})`, () => {
      w.line("const char *a = left;");
      w.line("char *to = sums;");
      w.line("i64 some = rows;");
      w.block(`switch (columns < ${width} ? columns : ${width})`, () => {
        for (let v = vectors; v >= 1; v--) {
          w.line(`case ${(v * bytes) / 4}:`);
          for (const height of heights) {
            const on = `some -= ${height}, a += ${height * layout.leftRow}, to += ${height * layout.sumRow}`;
            w.line(`for (; some >= ${height}; ${on}) ${layout.name}_${height}_${v}(a, b, depth, to, keep);`);
          }
          w.line("break;");
        }
      });
    });
  });
}

/** Texts that were written before, by name and bytes of a vector: all products of a network have one or two. */
const texts = new Map<string, string>();

function multiplyText(rows: number, vectors: number, bytes: number, layout: Layout): string {
  const key = `${layout.name} ${bytes}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  const w = new CWriter();
  writeMultiply(w, rows, vectors, bytes, layout);
  texts.set(key, w.toString());
  return w.toString();
}

/** The tiles of products. */
export function productTiles({ registers, tile: { rows, columns } }: ProductPolicy): CTiles {
  const vectors = columns / registers.lanes;
  const bytes = registers.lanes * 4;
  const tile = (keep: 0 | 1) => (w: CWriter, operands: readonly COperand[], define: Define) => {
    const [sums, left, right] = operands as [COperand, COperand, COperand];
    const [leftRow, leftDepth, sumRow] = [left.strides[0], left.strides[1], sums.strides[0]].map(Number) as [
      number,
      number,
      number,
    ];
    const rightDepth = Number(right.strides[1]);
    const name = `multiply_${[rows, vectors, leftRow, leftDepth, rightDepth, sumRow].join("_")}`;
    const layout = { name, leftRow, leftDepth, rightDepth, sumRow };
    define(name, multiplyText(rows, vectors, bytes, layout));
    const [height, width] = sums.sizes;
    w.line(
      `${name}(${height}, ${width}, ${left.pointer}, ${right.pointer}, ${left.sizes[1]}, ${right.strides[0]}, ${sums.pointer}, ${keep});`,
    );
  };
  return { begin: tile(0), goOn: tile(1) };
}
