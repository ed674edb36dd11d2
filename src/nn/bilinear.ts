import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { sameShape, shapeText, sizeOf } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { empty } from "../tensor/create.ts";
import { Parameter } from "../tensor/parameter.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { uniform_ } from "./init/index.ts";
import { Module } from "./module.ts";
import { pythonFlag } from "./repr.ts";

/**
 * y[k] = Σ x1[i] · weight[k, i, j] · x2[j] + bias[k]: what two inputs say together.
 *
 * Takes x1 of [*, in1Features] and x2 of [*, in2Features] with the same dimensions before the last, any number of them;
 * gives [*, outFeatures]. `weight` is [outFeatures, in1Features, in2Features], `bias` (there unless `bias` is false)
 * [outFeatures]; both start uniform within ±1/√in1Features.
 * Throws `ArgumentError` for sizes that cannot be, `ShapeError` for inputs that do not fit, `DTypeError` for dtypes that
 * differ.
 * Source: `torch.nn.Bilinear`. Example: `new nn.Bilinear(2, 3, 4).forward(randn([5, 2]), randn([5, 3]))`.
 */
export class Bilinear extends Module {
  readonly in1Features: number;
  readonly in2Features: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(
    in1Features: number,
    in2Features: number,
    outFeatures: number,
    options: { bias?: boolean } = {},
  ) {
    refuseOptions("Bilinear", options, { bias: null });
    const { bias = true } = options;
    super();
    const sizes = { in1Features, in2Features, outFeatures };
    for (const [name, size] of Object.entries(sizes)) {
      const least = name === "in1Features" ? 1 : 0;
      if (!Number.isInteger(size) || size < least)
        throw new ArgumentError(`Bilinear: ${name} is ${size}; it is a whole number from ${least} on`);
    }
    this.in1Features = in1Features;
    this.in2Features = in2Features;
    this.outFeatures = outFeatures;
    this.weight = new Parameter(empty([outFeatures, in1Features, in2Features]));
    this.bias = bias ? new Parameter(empty([outFeatures])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew: both uniform within ±1/√in1Features. */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    uniform_(this.weight, { a: -bound, b: bound });
    if (this.bias !== null) uniform_(this.bias, { a: -bound, b: bound });
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return bilinear(x1, x2, this.weight, this.bias);
  }

  override extraRepr(): string {
    const { in1Features, in2Features, outFeatures, bias } = this;
    return `in1_features=${in1Features}, in2_features=${in2Features}, out_features=${outFeatures}, bias=${pythonFlag(bias !== null)}`;
  }
}

/** What `Bilinear` does, with given weights. */
export const bilinear = checked(
  "bilinear",
  takes({ x1: kind.tensor, x2: kind.tensor, weight: kind.tensor, bias: kind.nullable(kind.tensor) }),
  bilinearOf,
);

function bilinearOf(x1: Tensor, x2: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const [batch1, batch2] = [x1.shape.slice(0, -1), x2.shape.slice(0, -1)];
  const [out, in1, in2] = weight.shape;
  const fits =
    weight.ndim === 3 &&
    x1.ndim > 0 &&
    sameShape(batch1, batch2) &&
    x1.shape.at(-1) === in1 &&
    x2.shape.at(-1) === in2;
  if (!fits)
    throw new ShapeError(
      `bilinear: inputs of shapes ${shapeText(x1.shape)} and ${shapeText(x2.shape)} for a weight of ${shapeText(weight.shape)}: ` +
        "they are [*, in1], [*, in2] and [out, in1, in2], with one * for both inputs",
    );
  if (bias && !sameShape(bias.shape, [out!]))
    throw new ShapeError(
      `bilinear: the bias has shape ${shapeText(bias.shape)}, for a weight of ${shapeText(weight.shape)} it is [${out}]`,
    );
  for (const other of [x2, weight, bias])
    if (other && other.dtype !== x1.dtype)
      throw new DTypeError(
        `bilinear: inputs, weight and bias are of ${x1.dtype} and ${other.dtype}; cast them to one dtype`,
      );
  const rows = sizeOf(batch1);
  const folded = weight.permute([1, 0, 2]).reshape([in1!, out! * in2!]);
  const first = x1.reshape([rows, in1!]).matmul(folded).reshape([rows, out!, in2!]);
  const y = first.matmul(x2.reshape([rows, in2!, 1])).reshape([...batch1, out!]);
  return bias ? y.add(bias) : y;
}
