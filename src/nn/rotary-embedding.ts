import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { arange, fromArray } from "../tensor/create.ts";
import { rotaryAngles as angles, rotary } from "../tensor/operations/rotary.ts";
import { checked, refuseUnless, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { pythonFlag, pythonNumber } from "./repr.ts";

/** Options of `rotaryAngles`. */
export interface RotaryAnglesOptions {
  /** The base of the wave lengths: the longest is 2π · theta^(1 − 2 / dim) positions; 10,000. */
  theta?: number;
}

/** Options of `rotaryEmbedding`. */
export interface RotaryOptions {
  /**
   * Which features are a pair: true for neighbours, 2i and 2i + 1, as in RoFormer and GPT-J; false, the default, for i
   * and i + pairs, as in GPT-NeoX, LLaMA and Hugging Face's `rotate_half`.
   */
  interleaved?: boolean;
}

/**
 * Cosine and sine of the angles by which positions turn pairs of features: position · theta^(−2i / dim) for pair i.
 *
 * Takes positions of any shape, integers or floats, or a number n for 0 to n − 1, and how many features are turned, an
 * even number. Gives `{ cos, sin }` of [*positions, dim / 2], f64 for positions of f64 and else f32; angles are in
 * radians. Make them once for all layers and heads.
 * Throws `ArgumentError` for a dim that is odd or not positive, and for a theta that is not positive.
 * Source: Su et al., "RoFormer", 2021. Example: `const { cos, sin } = nn.rotaryAngles(16, 8)`.
 */
export const rotaryAngles = checked(
  "rotaryAngles",
  takes({ positions: kind.either(kind.tensor, kind.size), dim: kind.whole }, { theta: kind.number }),
  (
    positions: Tensor | number,
    dim: number,
    { theta = 10_000 }: RotaryAnglesOptions = {},
  ): { cos: Tensor; sin: Tensor } => {
    checkAngles("rotaryAngles", dim, theta);
    const at = typeof positions === "number" ? arange(0, positions, 1, { dtype: "f32" }) : positions;
    const frequencies = fromArray(
      Float64Array.from({ length: dim / 2 }, (_, i) => theta ** ((-2 * i) / dim)),
      [dim / 2],
      { dtype: at.dtype === "f64" ? "f64" : "f32" },
    );
    const angle = new Tensor(angles(at.node, frequencies.node));
    return { cos: angle.cos(), sin: angle.sin() };
  },
);

function checkAngles(op: string, dim: number, theta: number): void {
  if (!Number.isInteger(dim) || dim < 2 || dim % 2 !== 0)
    throw new ArgumentError(
      `${op}: dim is ${dim}; features are turned in pairs, so it is an even number from 2 on`,
    );
  if (!(theta > 0) || theta === Number.POSITIVE_INFINITY)
    throw new ArgumentError(`${op}: theta is ${theta}; it is a finite number above 0, 10,000 as a rule`);
}

/**
 * Rotary embedding: each pair (a, b) of features becomes (a · cos − b · sin, b · cos + a · sin), so that the product of a
 * query and a key depends on how far apart they are.
 *
 * Takes x of [*, features] and a floating dtype; cos and sin of one shape, [*, pairs], that broadcasts to x's with
 * 2 · pairs ≤ features: features beyond are left alone. For x of [batch, heads, length, features] they are [length, pairs]
 * or [batch, 1, length, pairs]; for [batch, length, heads, features], [length, 1, pairs]. Gives x's shape.
 * Throws `ShapeError` for shapes that do not fit, as for cos and sin that have each angle twice, and `DTypeError` for
 * integers.
 * Source: Su et al., "RoFormer", 2021. Example: `nn.rotaryEmbedding(randn([2, 4, 16, 8]), cos, sin)`, where
 * `const { cos, sin } = nn.rotaryAngles(16, 8)`.
 */
export const rotaryEmbedding = checked(
  "rotaryEmbedding",
  takes({ x: kind.tensor, cos: kind.tensor, sin: kind.tensor }, { interleaved: kind.boolean }),
  (x: Tensor, cos: Tensor, sin: Tensor, { interleaved = false }: RotaryOptions = {}): Tensor =>
    new Tensor(rotary(x.node, cos.node, sin.node, interleaved)),
);

/** Options of `RotaryEmbedding`. */
export interface RotaryEmbeddingOptions extends RotaryAnglesOptions, RotaryOptions {}

const signature = takes({ dim: kind.whole }, { theta: kind.number, interleaved: kind.boolean });

/**
 * `rotaryEmbedding` by the angles of positions: pair i of the first `dim` features is turned by
 * position · theta^(−2i / dim) radians.
 *
 * Takes x of [*, length, features] with at least `dim` features, and the positions, 0 to length − 1 unless given: of any
 * shape that broadcasts to x's without its features, as [length], or [batch, 1, length] for x of
 * [batch, heads, length, features]. Of the options theta is 10,000 unless given, and interleaved false. Gives x's shape. It
 * has no parameters.
 * Throws `ArgumentError` for a dim that is odd or not positive, `ShapeError` for shapes that do not fit, `DTypeError` for
 * integers.
 * Source: Su et al., "RoFormer", 2021. Example: `new nn.RotaryEmbedding(8).forward(randn([2, 4, 16, 8]))`.
 */
export class RotaryEmbedding extends Module {
  readonly dim: number;
  readonly theta: number;
  readonly interleaved: boolean;

  constructor(dim: number, options: RotaryEmbeddingOptions = {}) {
    super();
    refuseUnless("RotaryEmbedding", signature, [dim, options]);
    const { theta = 10_000, interleaved = false } = options;
    checkAngles("RotaryEmbedding", dim, theta);
    this.dim = dim;
    this.theta = theta;
    this.interleaved = interleaved;
  }

  forward(x: Tensor, positions?: Tensor): Tensor {
    if (x.ndim < 2)
      throw new ShapeError(
        `RotaryEmbedding: takes [*, length, features], this input is ${shapeText(x.shape)}`,
      );
    const at = positions ?? x.size(-2);
    const { cos, sin } = rotaryAngles(at, this.dim, this);
    return rotaryEmbedding(x, cos, sin, this);
  }

  override extraRepr(): string {
    return `${this.dim}, theta=${pythonNumber(this.theta)}, interleaved=${pythonFlag(this.interleaved)}`;
  }
}
