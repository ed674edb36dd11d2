import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { filled } from "../ir/build.ts";
import * as kind from "./argument-kinds.ts";
import { cat, flip, unsqueeze } from "./operations/movement.ts";
import { broadcastTo } from "./operations/promote.ts";
import { summable } from "./operations/reduction.ts";
import { cumprod } from "./operations/scans.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/**
 * The powers of each element of a vector, one a row, from the highest down to 0 (with `increasing`, from 0 up).
 *
 * Takes [m]; gives [m, N], N being m where it is not given; of integers and bools i32.
 * Throws `ShapeError` for anything but a vector, and for an N below 0.
 * Source: `torch.vander`. Example: `vander(tensor([1, 2, 3]), 3)` has the row [4, 2, 1] for 2.
 */
export const vander = checked(
  "vander",
  takes({ x: kind.tensor, N: kind.maybe(kind.size) }, { increasing: kind.boolean }),
  (x: Tensor, N?: number, { increasing = false }: { increasing?: boolean } = {}): Tensor => {
    if (x.ndim !== 1) throw new ShapeError(`vander: takes a vector, not shape ${shapeText(x.shape)}`);
    const [rows, columns] = [x.numel, N ?? x.numel];
    const base = summable(x.node);
    const one = filled(1, [rows, Math.min(columns, 1)], base.dtype);
    const rest =
      columns < 2 ? [] : [cumprod(broadcastTo(unsqueeze(base, 1), [rows, columns - 1], "vander"), 1)];
    const powers = cat([one, ...rest], 1);
    return new Tensor(increasing ? powers : flip(powers, 1));
  },
);
