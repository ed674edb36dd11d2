import { DTypeError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { cat } from "../tensor/functions.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Products of groups of rows with a matrix each, as experts of a mixture take their tokens.
 *
 * Takes rows of [T, K], sorted by group, matrices of [G, K, N], and as `offs` the end of each group's rows, [G] of integers,
 * which are read; gives [T', N], T' being the last end. Of [G, T, K] it is the batch's product, and takes no `offs`.
 * Throws `ShapeError` for shapes that do not fit, and for ends that fall or lie beyond T; `DTypeError` for two dtypes or
 * ends that are no integers.
 * Source: `torch.nn.functional.grouped_mm`.
 * Example: `nn.groupedMm(randn([3, 4]), randn([2, 4, 5]), { offs: tensor([1, 3], { dtype: "i32" }) })`.
 */
export const groupedMm = checked(
  "groupedMm",
  takes({ rows: kind.tensor, matrices: kind.tensor }, { offs: kind.nullable(kind.tensor) }),
  (rows: Tensor, matrices: Tensor, { offs = null }: { offs?: Tensor | null } = {}): Tensor => {
    const wrong = (why: string): ShapeError =>
      new ShapeError(
        `groupedMm: rows of ${shapeText(rows.shape)} for matrices of ${shapeText(matrices.shape)}: ${why}`,
      );
    if (rows.ndim === 3 && offs === null) return rows.bmm(matrices);
    if (rows.ndim !== 2 || matrices.ndim !== 3 || rows.shape[1] !== matrices.shape[1])
      throw wrong("they are [T, K] and [G, K, N]");
    if (offs === null || offs.ndim !== 1 || offs.shape[0] !== matrices.shape[0])
      throw wrong("offs has the end of each group's rows, [G]");
    if (offs.dtype !== "i32" && offs.dtype !== "u8" && offs.dtype !== "i8")
      throw new DTypeError(`groupedMm: offs are ${offs.dtype}, not integers; cast them with to("i32")`);
    let start = 0;
    const products = [...offs.dataSync()].map((end, i) => {
      if (end < start || end > rows.shape[0]!)
        throw wrong(`group ${i} is from row ${start} to before ${end}; ends do not fall, nor exceed T`);
      const group = rows.narrow(0, start, end - start).mm(matrices.select(0, i));
      start = end;
      return group;
    });
    return products.length === 0 ? rows.newZeros([0, matrices.shape[2]!]) : cat(products, 0);
  },
);
