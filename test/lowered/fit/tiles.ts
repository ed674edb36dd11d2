import type { CTiles } from "../../../src/targets/c/print.ts";
import type { WgslTiles } from "./wgsl.ts";

/** The tiles of these kernels in WGSL: what a group's threads do together. */
export const wgslTiles = (threads: number): WgslTiles => ({
  blockProduct: ([sums, left, right], [rows, columns, , depth]) => `
for (var e = thread; e < ${rows} * ${columns}; e += ${threads}) {
  var sum = ${sums}[e];
  for (var k = 0; k < ${depth}; k += 1) {
    sum += ${left}[(e / ${columns}) * ${depth} + k] * ${right}[k * ${columns} + e % ${columns}];
  }
  ${sums}[e] = sum;
}`,
});

/** The same in C. */
export const cTiles: CTiles = {
  blockProduct(w, operands) {
    const at = (which: number, i: string, j: string) => {
      const { pointer, strides } = operands[which]!;
      return `*(float *)(${pointer} + ${i} * ${strides[0]} + ${j} * ${strides[1]})`;
    };
    const [rows, columns, depth] = [operands[0]!.sizes[0], operands[0]!.sizes[1], operands[1]!.sizes[1]];
    w.block(`for (i64 i = 0; i < ${rows}; i++)`, () =>
      w.block(`for (i64 j = 0; j < ${columns}; j++)`, () =>
        w.block(`for (i64 k = 0; k < ${depth}; k++)`, () =>
          w.line(`${at(0, "i", "j")} += ${at(1, "i", "k")} * ${at(2, "k", "j")};`),
        ),
      ),
    );
  },
};
