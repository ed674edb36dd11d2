import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/**
 * Puts channels into space: r² channels become r × r pixels of one.
 *
 * Takes x of [*, C · r², H, W] and the factor r, `upscaleFactor`, which has no default; gives [*, C, H · r, W · r]. Channel
 * c · r² + i · r + j is pixel (i, j) of each block.
 * Throws `ArgumentError` for a factor that is no whole number above 0, `ShapeError` for fewer than three dimensions and
 * channels that r² does not divide.
 * Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
 * Network", 2016; `torch.nn.PixelShuffle`.
 * Example: `new nn.PixelShuffle(2).forward(randn([1, 8, 3, 3]))`.
 */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;

  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = upscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.upscaleFactor);
  }
  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}

/**
 * The inverse of `PixelShuffle`: r × r pixels become r² channels of one.
 *
 * Takes x of [*, C, H · r, W · r] and the factor r, `downscaleFactor`, which has no default; gives [*, C · r², H, W].
 * Throws `ArgumentError` for a factor that is no whole number above 0, `ShapeError` for fewer than three dimensions and
 * sizes that r does not divide.
 * Source: `torch.nn.PixelUnshuffle`. Example: `new nn.PixelUnshuffle(2).forward(randn([1, 2, 6, 6]))`.
 */
export class PixelUnshuffle extends Module {
  readonly downscaleFactor: number;

  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = downscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.downscaleFactor);
  }
  override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}

/** What `PixelShuffle` does. */
export const pixelShuffle = checked(
  "pixelShuffle",
  takes({ x: kind.tensor, upscaleFactor: kind.number }),
  (x: Tensor, upscaleFactor: number): Tensor => {
    const r = upscaleFactor;
    const [outer, channels, height, width] = imageOf("pixelShuffle", x, r);
    if (channels % (r * r) !== 0)
      throw new ShapeError(
        `pixelShuffle: ${channels} channels of shape ${shapeText(x.shape)} are no multiple of ${r * r}, the square of the factor`,
      );
    const rank = outer.length;
    return x
      .reshape([...outer, channels / (r * r), r, r, height, width])
      .permute([...outer.map((_, i) => i), rank, rank + 3, rank + 1, rank + 4, rank + 2])
      .reshape([...outer, channels / (r * r), height * r, width * r]);
  },
);

/** What `PixelUnshuffle` does. */
export const pixelUnshuffle = checked(
  "pixelUnshuffle",
  takes({ x: kind.tensor, downscaleFactor: kind.number }),
  (x: Tensor, downscaleFactor: number): Tensor => {
    const r = downscaleFactor;
    const [outer, channels, height, width] = imageOf("pixelUnshuffle", x, r);
    if (height % r !== 0 || width % r !== 0)
      throw new ShapeError(
        `pixelUnshuffle: images of ${height} by ${width} in shape ${shapeText(x.shape)} are no multiples of the factor ${r}`,
      );
    const rank = outer.length;
    return x
      .reshape([...outer, channels, height / r, r, width / r, r])
      .permute([...outer.map((_, i) => i), rank, rank + 2, rank + 4, rank + 1, rank + 3])
      .reshape([...outer, channels * r * r, height / r, width / r]);
  },
);

function imageOf(op: string, x: Tensor, factor: number): [number[], number, number, number] {
  if (!Number.isInteger(factor) || factor < 1)
    throw new ArgumentError(`${op}: a factor of ${factor}; it is a whole number above 0`);
  if (x.ndim < 3)
    throw new ShapeError(`${op}: takes [*, C, H, W], not shape ${shapeText(x.shape)}; use unsqueeze()`);
  const [channels, height, width] = x.shape.slice(-3) as [number, number, number];
  return [x.shape.slice(0, -3), channels, height, width];
}
