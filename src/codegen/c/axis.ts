import { isFloat } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import type { AxisKernel } from "../../plan/kernel.ts";
import { argsLayout } from "../args.ts";
import { elementType } from "./access.ts";
import type { Line } from "./axis-line.ts";
import { lanesOf, preludeC } from "./prelude.ts";
import { emitScatter } from "./scatter.ts";
import type { CTarget } from "./target.ts";
import { type CUnit, CWriter } from "./writer.ts";

/** Serial work along one axis, element by element, as a unit; tasks are outer indices. */
export function emitAxis(kernel: AxisKernel, target: CTarget): CUnit {
  const { kind, accesses } = kernel;
  const moves = kind === "scatter";
  for (const { dtype } of accesses)
    if (!moves && ["i8", "f16", "bf16"].includes(dtype))
      throw new DTypeError(`native: no kernel along an axis for ${dtype}; cast to f32 first`);
  const w = new CWriter();
  const wide = accesses.some(({ dtype }) => dtype === "f64");
  const layout = argsLayout(kernel);
  w.block("void run(const i64 *args, i64 begin, i64 end, char *scratch)", () => {
    w.line("(void)scratch;");
    const [, length, inner] = layout.extents.map((at) => w.define("i64", `args[${at}]`, "n")) as [
      string,
      string,
      string,
    ];
    const strides = layout.accesses.map((a) => a.strides.map((at) => w.define("i64", `args[${at}]`, "s")));
    w.block("for (i64 o = begin; o < end; o++)", () => {
      const lines = layout.accesses.map((a, i): Line => {
        const line = w.name("p");
        w.line(`char *${line} = (char *)args[${a.pointer}] + o * ${strides[i]![0]};`);
        const { dtype } = accesses[i]!;
        return { line, strides: strides[i]!, dtype, element: `${elementType(dtype)}_m` };
      });
      if (kind === "scatter" || kind === "scatterAdd") {
        emitScatter(w, kind, lines, length, inner, lanesOf(target, wide));
        return;
      }
      w.block(`for (i64 i = 0; i < ${inner}; i++)`, () => {
        bodies[kind](w, lines, length);
        for (const { line, strides } of lines) w.line(`${line} += ${strides[2]};`);
      });
    });
  });
  return { prelude: preludeC(target, wide), body: w.toString() };
}

/** Element `index` along the axis. */
const at = ({ line, strides, element }: Line, index: string): string =>
  `*(${element} *)(${line} + (i64)(${index}) * ${strides[1]})`;

/** The C type in which a line's elements are compared. */
const valueType = ({ dtype }: Line): string =>
  dtype === "f32" ? "float" : dtype === "f64" ? "double" : "int";

/** Whether x sorts after y (descending: before it); NaN counts as the largest. */
function after({ dtype }: Line, x: string, y: string, descending = false): string {
  const [big, small] = descending ? [y, x] : [x, y];
  return isFloat(dtype)
    ? `(${big} > ${small} || (${big} != ${big} && ${small} == ${small}))`
    : `(${big} > ${small})`;
}

function argmax(w: CWriter, [source, result]: readonly Line[], length: string): void {
  const type = valueType(source!);
  w.line(`${type} top = ${at(source!, "0")};`);
  w.line("int best = 0;");
  w.block(`for (i64 a = 1; a < ${length}; a++)`, () => {
    w.line(`const ${type} value = ${at(source!, "a")};`);
    w.line(`if (${after(source!, "value", "top")}) top = value, best = (int)a;`);
  });
  w.line(`${at(result!, "0")} = best;`);
}

/** Floats are added in f64 and rounded only when stored, as the definition does and PyTorch on the CPU; i32 wraps. */
function cumsum(w: CWriter, [source, result]: readonly Line[], length: string): void {
  const float = isFloat(source!.dtype);
  w.line(`${float ? "double" : "unsigned"} sum = 0;`);
  w.block(`for (i64 a = 0; a < ${length}; a++)`, () => {
    w.line(`sum += ${float ? "" : "(unsigned)"}${at(source!, "a")};`);
    const stored = source!.dtype === "f32" ? "(float)sum" : source!.dtype === "i32" ? "(int)sum" : "sum";
    w.line(`${at(result!, "a")} = ${stored};`);
  });
}

/**
 * Indices by heap sort, which needs no memory but the result. It is stable because equal values are told apart by their
 * indices: no two elements are the same in the order that it sorts by.
 */
function argsort(descending: boolean) {
  return (w: CWriter, [source, result]: readonly Line[], length: string): void => {
    const type = valueType(source!);
    const comesAfter = (x: string, i: string, y: string, j: string) =>
      `(${after(source!, x, y, descending)} || (${i} > ${j} && !${after(source!, y, x, descending)}))`;
    w.line(`for (i64 a = 0; a < ${length}; a++) ${at(result!, "a")} = (int)a;`);
    // [0, last) is unsorted; what is at `start` and after it is in a heap, the last in order at its top.
    w.line(`i64 start = ${length} / 2, last = ${length};`);
    w.block("while (last > 1)", () => {
      w.line("int index;");
      w.line(`if (start > 0) index = ${at(result!, "--start")};`);
      w.line(`else last--, index = ${at(result!, "last")}, ${at(result!, "last")} = ${at(result!, "0")};`);
      w.line(`const ${type} value = ${at(source!, "index")};`);
      w.line("i64 root = start;");
      w.block("for (i64 child; (child = 2 * root + 1) < last; root = child)", () => {
        w.line(`int candidate = ${at(result!, "child")};`);
        w.line(`${type} best = ${at(source!, "candidate")};`);
        w.block("if (child + 1 < last)", () => {
          w.line(`const int other = ${at(result!, "child + 1")};`);
          w.line(`const ${type} rival = ${at(source!, "other")};`);
          w.line(
            `if (${comesAfter("rival", "other", "best", "candidate")}) child++, candidate = other, best = rival;`,
          );
        });
        w.line(`if (!${comesAfter("best", "candidate", "value", "index")}) break;`);
        w.line(`${at(result!, "root")} = candidate;`);
      });
      w.line(`${at(result!, "root")} = index;`);
    });
  };
}

const bodies: {
  readonly [K in Exclude<AxisKernel["kind"], "scatter" | "scatterAdd">]: (
    w: CWriter,
    lines: readonly Line[],
    length: string,
  ) => void;
} = {
  argmax,
  cumsum,
  argsort: argsort(false),
  argsortDescending: argsort(true),
};
