import { dtypes } from "../../base/dtype.ts";
import { accessesOf } from "../body.ts";
import type { CContext } from "./access.ts";
import { argumentReader, type ContractParts, placed } from "./contract-parts.ts";
import { emitTranspose } from "./transpose.ts";
import { emitValues } from "./value.ts";

/**
 * pack_left, pack_right(args, at, first, count, k0, depth, out): evaluates one operand's prologue over rows (or columns)
 * from `first` and depths from `k0`, and writes panels: for each depth, the values of the panel's rows side by side. The
 * left operand is one panel of `count` rows; the right one panels of a tile's columns, of which the last may hold more
 * than there are: copies, which nobody reads.
 */
export function emitPack(parts: ContractParts, side: "left" | "right"): void {
  const { kernel, w } = parts;
  const head = `static void pack_${side}(const i64 *args, char **at, i64 first, i64 count, i64 k0, i64 depth, char *out)`;
  const alongFree = (side === "left" ? kernel.leftUnit : kernel.rightUnit) === (side === "left" ? "m" : "n");
  w.block(head, () => {
    const reader = argumentReader(parts);
    const free = side === "left" ? 0 : 1;
    const used = accessesOf(kernel.prologue, [kernel[side]]);
    for (const a of used) if (reader.hasAxis(a)) reader.axisStride(a);
    const line = new Map(
      used.map((a) => [
        a,
        placed(parts, a, `first * ${reader.stride(a, free)} + k0 * ${reader.stride(a, 2)}`),
      ]),
    );
    /** The operand's values from a row and a depth on, along the dimension that its accesses run along. */
    const value = (row: string, depth: string, live: string | null): string => {
      const ctx: CContext = {
        w,
        target: parts.target,
        accesses: kernel.accesses,
        lanes: parts.lanes,
        live,
        pointer: (a) =>
          `(${line.get(a)} + ${row} * ${reader.stride(a, free)} + ${depth} * ${reader.stride(a, 2)})`,
        step: (a) => reader.stride(a, alongFree ? free : 2),
        axisStride: (a) => reader.axisStride(a),
      };
      return emitValues(ctx, kernel.prologue, [kernel[side]], new Map())[0]!;
    };
    if (alongFree) (side === "left" ? leftRows : rightRows)(parts, value);
    else alongDepth(parts, side, value);
  });
}

type Value = (row: string, depth: string, live: string | null) => string;

const bytes = dtypes.f32.bytes;

/** One vector a depth holds the whole panel; what is stored beyond it is overwritten by the next. */
function leftRows({ w }: ContractParts, value: Value): void {
  w.block(`for (i64 j = 0; j < depth; j++, out += count * ${bytes})`, () => {
    w.line(`*(v_f32_m *)out = ${value("0", "j", "(int)count")};`);
  });
}

function rightRows({ w, lanes, tile }: ContractParts, value: Value): void {
  const width = lanes * tile.vectors;
  w.line("i64 c = 0;");
  const depths = (body: () => void) =>
    w.block(`for (i64 j = 0; j < depth; j++, out += ${width * bytes})`, body);
  w.block(`for (; c + ${width} <= count; c += ${width})`, () =>
    depths(() => {
      for (let v = 0; v < tile.vectors; v++)
        w.line(`*(v_f32_m *)(out + ${v * lanes * bytes}) = ${value(`(c + ${v * lanes})`, "j", null)};`);
    }),
  );
  // What is left, vector by vector.
  w.block("if (c < count)", () =>
    depths(() => {
      w.line("i64 d = c;");
      w.block(`for (; d + ${lanes} <= count; d += ${lanes})`, () =>
        w.line(`*(v_f32_m *)(out + (d - c) * ${bytes}) = ${value("d", "j", null)};`),
      );
      w.block("if (d < count)", () =>
        w.line(`*(v_f32_m *)(out + (d - c) * ${bytes}) = ${value("d", "j", "(int)(count - d)")};`),
      );
    }),
  );
}

/** As many rows as a vector has lanes at a time, vectors along k, transposed on the way. */
function alongDepth(parts: ContractParts, side: "left" | "right", value: Value): void {
  const { w, lanes, tile } = parts;
  const width = side === "left" ? "count" : `${lanes * tile.vectors}`;
  const group = () => {
    w.line("i64 j = 0;");
    const square = (live: string | null) => {
      w.line(`vf rows[${lanes}];`);
      w.block(`for (int r = 0; r < ${lanes}; r++)`, () => {
        // Rows that there are not are copies of the last.
        w.line("const i64 row = g + (r < some ? r : some - 1);");
        w.line(`rows[r] = ${value("row", "j", live)};`);
      });
      const columns = emitTranspose(w, "rows", lanes);
      for (const [d, column] of columns.entries())
        w.line(
          `${live === null ? "" : `if (${d} < ${live}) `}*(v_f32_m *)(place + (j + ${d}) * ${width} * ${bytes}) = ${column};`,
        );
    };
    w.block(`for (; j + ${lanes} <= depth; j += ${lanes})`, () => square(null));
    w.block("if (j < depth)", () => square(w.define("int", "(int)(depth - j)", "live")));
  };
  if (side === "left") {
    w.line("const i64 g = 0, some = count;");
    w.line("char *const place = out;");
    group();
  } else
    w.block(`for (i64 g = 0; g < count; g += ${lanes})`, () => {
      w.line(`const i64 some = count - g < ${lanes} ? count - g : ${lanes};`);
      w.line(
        `char *const place = out + g / ${width} * ${width} * depth * ${bytes} + g % ${width} * ${bytes};`,
      );
      group();
    });
}
