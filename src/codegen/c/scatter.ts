import { type DType, dtypes } from "../../base/dtype.ts";
import type { Line } from "./axis-line.ts";
import type { CWriter } from "./writer.ts";

/** Elements from which on a row is done as one: below, the loop is through before the row has begun. */
const asRow = 8;

/**
 * scatter or scatterAdd within one outer index: updates in row-major order, so that neighbours in memory follow each
 * other and the last of those with one index stays. An index out of range is dropped: a check may stop the plan only
 * after this kernel, and until then nothing that is not the result's may change.
 */
export function emitScatter(
  w: CWriter,
  kind: "scatter" | "scatterAdd",
  [result, indices, updates]: readonly Line[],
  length: string,
  inner: string,
  lanes: number,
): void {
  const { dtype, strides } = result!;
  // The result is whole, so its strides give its extent along the axis, which is not that of the updates.
  w.line(`const i64 limit = ${strides[0]} / ${strides[1]};`);
  const { bytes } = dtypes[dtype];
  /** An index, where it is in range, and `body`. */
  const inRange = (body: () => void) => {
    w.line("const i64 index = *(const i32_m *)source;");
    w.block("if (index >= 0 && index < limit)", () => {
      w.line(`char *const to = place + index * ${strides[1]};`);
      body();
    });
  };
  w.block(`for (i64 a = 0; a < ${length}; a++)`, () => {
    w.line(`char *place = ${result!.line};`);
    w.line(`const char *source = ${indices!.line} + a * ${indices!.strides[1]};`);
    w.line(`const char *update = ${updates!.line} + a * ${updates!.strides[1]};`);
    // One index for the whole row, whose elements lie together on both sides.
    const together = `${indices!.strides[2]} == 0 && ${updates!.strides[2]} == ${bytes}`;
    w.block(`if (${together} && ${inner} >= ${asRow})`, () => {
      inRange(() => {
        if (kind === "scatter") w.line(`__builtin_memcpy(to, update, ${inner} * ${bytes});`);
        else emitAddRow(w, result!, inner, lanes);
      });
      w.line("continue;");
    });
    const step = `place += ${strides[2]}, source += ${indices!.strides[2]}, update += ${updates!.strides[2]}`;
    w.block(`for (i64 i = 0; i < ${inner}; i++, ${step})`, () =>
      inRange(() => {
        if (kind === "scatterAdd") emitAdd(w, dtype, result!.element, "to", "update");
        else w.line(`*(${result!.element} *)to = *(const ${result!.element} *)update;`);
      }),
    );
  });
}

/** Adds the elements of a row, which compilers do one by one if they do not know that updates lie elsewhere. */
function emitAddRow(w: CWriter, { dtype, element }: Line, inner: string, lanes: number): void {
  const at = (name: string) => `${name} + i * ${dtypes[dtype].bytes}`;
  w.line("i64 i = 0;");
  w.block(`for (; i + ${lanes} <= ${inner}; i += ${lanes})`, () =>
    emitAdd(w, dtype, `v_${element}`, at("to"), at("update"), "v"),
  );
  w.block(`for (; i < ${inner}; i++)`, () => emitAdd(w, dtype, element, at("to"), at("update")));
}

/** What is at one address is added to what is at another; integers wrap, which C has only for unsigned ones. */
function emitAdd(
  w: CWriter,
  dtype: DType,
  type: string,
  to: string,
  from: string,
  vector: "v" | "" = "",
): void {
  const sum = `*(${type} *)(${to})`;
  const value = `*(const ${type} *)(${from})`;
  const [signed, unsigned] = vector ? ["vi", "vu"] : ["int", "unsigned"];
  if (dtype === "i32") w.line(`${sum} = (${signed})((${unsigned})${sum} + (${unsigned})${value});`);
  // A sum of bools is whether any is true.
  else w.line(`${sum} ${dtype === "bool" ? "|=" : "+="} ${value};`);
}
