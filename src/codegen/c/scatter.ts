import { dtypes } from "../../base/dtype.ts";
import type { Line } from "./axis.ts";
import type { CWriter } from "./writer.ts";

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
): void {
  const { dtype, element, strides } = result!;
  // The result is whole, so its strides give its extent along the axis, which is not that of the updates.
  w.line(`const i64 limit = ${strides[0]} / ${strides[1]};`);
  const { bytes } = dtypes[dtype];
  w.block(`for (i64 a = 0; a < ${length}; a++)`, () => {
    w.line(`char *place = ${result!.line};`);
    w.line(`const char *source = ${indices!.line} + a * ${indices!.strides[1]};`);
    w.line(`const char *update = ${updates!.line} + a * ${updates!.strides[1]};`);
    if (kind === "scatter")
      // One index for the whole row, whose elements lie together on both sides.
      w.block(
        `if (${indices!.strides[2]} == 0 && ${updates!.strides[2]} == ${bytes} && ${inner} >= 8)`,
        () => {
          w.line("const i64 index = *(const i32_m *)source;");
          w.line(
            `if (index >= 0 && index < limit) __builtin_memcpy(place + index * ${strides[1]}, update, ${inner} * ${bytes});`,
          );
          w.line("continue;");
        },
      );
    const step = `place += ${strides[2]}, source += ${indices!.strides[2]}, update += ${updates!.strides[2]}`;
    w.block(`for (i64 i = 0; i < ${inner}; i++, ${step})`, () => {
      w.line("const i64 index = *(const i32_m *)source;");
      w.line("if (index < 0 || index >= limit) continue;");
      w.line(`${element} *const to = (${element} *)(place + index * ${strides[1]});`);
      const value = `*(const ${element} *)update`;
      if (kind === "scatter") w.line(`*to = ${value};`);
      // A sum of bools is whether any is true.
      else if (dtype === "bool") w.line(`*to |= ${value};`);
      else if (dtype === "i32") w.line(`*to = (int)((unsigned)*to + (unsigned)${value});`);
      else w.line(`*to += ${value};`);
    });
  });
}
