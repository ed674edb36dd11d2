import { accessesOf } from "../../plan/kernel.ts";
import type { CContext } from "./access.ts";
import { argumentReader, type ContractParts, isIndex, placed } from "./contract-parts.ts";
import { leftStrides } from "./micro.ts";
import { emitTranspose } from "./transpose.ts";
import { emitValues } from "./value.ts";

/**
 * An operand in a function that has `args` and `at`; rows (or columns) count from `first`, depths from `k0`. `value` gives
 * a vector of its values, along the dimension that its accesses run along; `fetch` has the second cache hold what makes
 * them, sooner or later.
 */
export function operandReader(parts: ContractParts, side: "left" | "right", first: string) {
  const { kernel, w } = parts;
  const reader = argumentReader(parts);
  const free = side === "left" ? 0 : 1;
  const alongFree = kernel[`${side}Unit`] === (side === "left" ? "m" : "n");
  const used = accessesOf(kernel.prologue, [kernel[side]]);
  for (const a of used) if (reader.hasAxis(a)) reader.axisStride(a);
  const line = new Map(
    used.map((a) => [
      a,
      placed(parts, a, `${first} * ${reader.stride(a, free)} + k0 * ${reader.stride(a, 2)}`),
    ]),
  );
  const pointer = (a: number, row: string, depth: string) =>
    `(${line.get(a)} + ${row} * ${reader.stride(a, free)} + ${depth} * ${reader.stride(a, 2)})`;
  return {
    value(row: string, depth: string, live: string | null): string {
      const ctx: CContext = {
        w,
        target: parts.target,
        accesses: kernel.accesses,
        lanes: parts.lanes,
        live,
        pointer: (a) => pointer(a, row, depth),
        step: (a) => reader.stride(a, alongFree ? free : 2),
        axisStride: (a) => reader.axisStride(a),
      };
      return emitValues(ctx, kernel.prologue, [kernel[side]], new Map())[0]!;
    },
    fetch(row: string, depth: string): void {
      for (const a of used) {
        const { vector } = kernel.accesses[a]!;
        if (vector === "unit" && !isIndex(kernel, a))
          w.line(`__builtin_prefetch(${pointer(a, row, depth)}, 0, 2);`);
      }
    },
  };
}

type Operand = ReturnType<typeof operandReader>;

/**
 * pack_left, pack_right(args, at, first, count, k0, depth, out): evaluates one operand's prologue over rows (or columns)
 * from `first` and depths from `k0`. The left operand becomes one panel of `count` rows, laid out as `leftStrides` says,
 * the right one panels of a tile's columns, which for each depth lie side by side; what is stored beyond `count` and
 * `depth` nobody reads.
 */
export function emitPack(parts: ContractParts, side: "left" | "right"): void {
  const { kernel, w } = parts;
  const head = `static void pack_${side}(const i64 *args, char **at, i64 first, i64 count, i64 k0, i64 depth, char *out)`;
  w.block(head, () => {
    const operand = operandReader(parts, side, "first");
    if (side === "left") (kernel.leftUnit === "m" ? leftByDepth : leftByRow)(parts, operand);
    else (kernel.rightUnit === "n" ? rightByDepth : rightByRow)(parts, operand);
  });
}

/** A loop over whole vectors of `count` elements, then what is left; `store` gets the index and how many are live. */
function vectors(
  { w, lanes }: ContractParts,
  index: string,
  count: string,
  store: (live: string | null) => void,
): void {
  w.line(`i64 ${index} = 0;`);
  w.block(`for (; ${index} + ${lanes} <= ${count}; ${index} += ${lanes})`, () => store(null));
  w.block(`if (${index} < ${count})`, () => store(w.define("int", `(int)(${count} - ${index})`, "live")));
}

function leftByDepth(parts: ContractParts, { value, fetch }: Operand): void {
  const { w } = parts;
  w.block(`for (i64 j = 0; j < depth; j++, out += ${leftStrides(parts).depth})`, () => {
    // The next panel's, while this one is multiplied.
    fetch("count", "j");
    vectors(parts, "r", "count", (live) => w.line(`*(v_f32_m *)(out + r * 4) = ${value("r", "j", live)};`));
  });
}

function leftByRow(parts: ContractParts, { value, fetch }: Operand): void {
  const { w } = parts;
  w.block(`for (i64 r = 0; r < count; r++, out += ${leftStrides(parts).row})`, () =>
    vectors(parts, "j", "depth", (live) => {
      fetch("(r + count)", "j");
      w.line(`*(v_f32_m *)(out + j * 4) = ${value("r", "j", live)};`);
    }),
  );
}

function rightByDepth(parts: ContractParts, { value, fetch }: Operand): void {
  const { w, lanes, tile } = parts;
  const width = lanes * tile.vectors;
  const depths = (body: () => void) => w.block(`for (i64 j = 0; j < depth; j++, out += ${width * 4})`, body);
  const store = (v: number, live: string | null) =>
    w.line(`*(v_f32_m *)(out + ${v * lanes * 4}) = ${value(`(c + ${v * lanes})`, "j", live)};`);
  w.line("i64 c = 0;");
  w.block(`for (; c + ${width} <= count; c += ${width})`, () =>
    depths(() => {
      for (let v = 0; v < tile.vectors; v++) {
        fetch(`(c + ${v * lanes + width})`, "j");
        store(v, null);
      }
    }),
  );
  // What is left, vector by vector.
  w.block("if (c < count)", () => {
    w.line("const i64 some = count - c;");
    depths(() => {
      w.line("i64 d = 0;");
      w.block(`for (; d + ${lanes} <= some; d += ${lanes})`, () =>
        w.line(`*(v_f32_m *)(out + d * 4) = ${value("(c + d)", "j", null)};`),
      );
      w.block("if (d < some)", () =>
        w.line(`*(v_f32_m *)(out + d * 4) = ${value("(c + d)", "j", "(int)(some - d)")};`),
      );
    });
  });
}

/** As many columns as a vector has lanes at a time, vectors along k, transposed on the way. */
function rightByRow({ w, lanes, tile }: ContractParts, { value }: Operand): void {
  const width = lanes * tile.vectors;
  w.block(`for (i64 g = 0; g < count; g += ${lanes})`, () => {
    w.line(`char *const panel = out + g / ${width} * depth * ${width * 4} + g % ${width} * 4;`);
    w.block(`for (i64 j = 0; j < depth; j += ${lanes})`, () => {
      w.line(`vf rows[${lanes}];`);
      const load = (live: string | null) =>
        w.block(`for (int r = 0; r < ${lanes}; r++)`, () => {
          // Columns that there are not are copies of the last.
          w.line("const i64 column = g + r < count ? g + r : count - 1;");
          w.line(`rows[r] = ${value("column", "j", live)};`);
        });
      w.block(`if (depth - j >= ${lanes})`, () => load(null));
      w.block("else", () => load(w.define("int", "(int)(depth - j)", "live")));
      for (const [d, column] of emitTranspose(w, "rows", lanes).entries())
        w.line(`*(v_f32_m *)(panel + (j + ${d}) * ${width * 4}) = ${column};`);
    });
  });
}
