import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import { cast, reshape } from "../../ir/build.ts";
import type { Node } from "../../ir/node.ts";
import { add, div, mul, sqrt, square, sub } from "./elementwise.ts";
import { computeDtype } from "./promote.ts";
import { mean, meanable } from "./reduction.ts";
import { stated } from "./stated.ts";

/** The dimensions that are normalized over, the last ones; throws where they or what scales them have other sizes. */
function lastDims(op: string, x: Node, sizes: Shape, ...affine: readonly (Node | undefined)[]): number[] {
  const first = x.shape.length - sizes.length;
  if (sizes.length === 0 || !sameShape(x.shape.slice(Math.max(0, first)), sizes))
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(x.shape)} does not end in ${shapeText(sizes)}`,
    );
  for (const p of affine)
    if (p !== undefined && !sameShape(p.shape, sizes))
      throw new ShapeError(
        `${op}: ${affine.length > 1 ? "weight and bias have" : "the weight has"} shape ${shapeText(sizes)}, not ${shapeText(p.shape)}`,
      );
  return sizes.map((_, i) => first + i);
}

/**
 * x over the root of a number for each row. As in PyTorch it is multiplied by one over the root: there is then one division
 * a row, in its gradients too, where processors divide at a tenth of the speed at which they multiply.
 */
const overRoot = (x: Node, rows: Node): Node => mul(x, div(1, sqrt(rows)));

/**
 * x less its mean, divided by its deviation, over some dimensions. The gradient is stated, as what the mean of the squares has
 * of the mean adds up to 0: to leave that out takes a pass over each row less. Sums are of the gradient as it comes, and not of
 * what the deviation has been multiplied into, so that they need not wait for that.
 */
function standardized(input: Node, dims: readonly number[], eps: number): Node {
  const x = meanable("mean", input);
  const centred = sub(x, mean(x, dims, true));
  const scale = div(1, sqrt(add(mean(square(centred), dims, true), eps)));
  return stated(mul(centred, scale), [
    x,
    (g) => {
      const along = mul(mean(mul(g, centred), dims, true), square(scale));
      return mul(sub(sub(g, mean(g, dims, true)), mul(centred, along)), scale);
    },
  ]);
}

/** What was normalized, scaled and shifted, in the dtype that it was in. */
function scaled(x: Node, weight: Node | undefined, bias: Node | undefined): Node {
  const y = weight === undefined ? x : mul(x, weight);
  return bias === undefined ? y : cast(add(y, bias), y.dtype);
}

/** Normalizes over the last dimensions, then scales and shifts. */
export function layerNorm(x: Node, normalizedShape: Shape, weight?: Node, bias?: Node, eps = 1e-5): Node {
  const dims = lastDims("layerNorm", x, normalizedShape, weight, bias);
  return scaled(standardized(x, dims, eps), weight, bias);
}

/** The distance of 1 from the next number, which PyTorch takes where no eps is told. */
const epsilon = { f32: 2 ** -23, f64: 2 ** -52 };

/** Divides by the root of the mean square over the last dimensions, then scales. */
export function rmsNorm(x: Node, normalizedShape: Shape, weight?: Node, eps?: number | null): Node {
  const dims = lastDims("rmsNorm", x, normalizedShape, weight);
  const squares = mean(square(x), dims, true);
  const least = eps ?? epsilon[squares.dtype as "f32" | "f64"];
  const y = overRoot(x, add(squares, least));
  return weight === undefined ? y : cast(mul(y, weight), y.dtype);
}

/** Normalizes over the channels of a group and all places, then scales and shifts each channel. */
export function groupNorm(x: Node, groups: number, weight?: Node, bias?: Node, eps = 1e-5): Node {
  const [batch, channels, ...places] = x.shape;
  if (batch === undefined || channels === undefined)
    throw new ShapeError(
      `groupNorm: takes [N, C, …], with channels in dimension 1, not an input of shape ${shapeText(x.shape)}`,
    );
  if (groups < 1 || channels % groups !== 0)
    throw new ArgumentError(
      `groupNorm: the ${channels} channels of an input of shape ${shapeText(x.shape)} do not divide into ${groups} groups`,
    );
  for (const [name, p] of Object.entries({ weight, bias }))
    if (p !== undefined && !sameShape(p.shape, [channels]))
      throw new ShapeError(
        `groupNorm: ${name} has shape ${shapeText(p.shape)}; it must be [${channels}], one for each channel of ${shapeText(x.shape)}`,
      );
  const width = channels / groups;
  if (batch * width * sizeOf(places) === 1)
    throw new ShapeError(
      `groupNorm: each of the ${groups} groups of an input of shape ${shapeText(x.shape)} has one value, which is its own ` +
        "mean; use fewer groups",
    );
  const inGroups = reshape(x, [batch, groups, width, sizeOf(places)]);
  const along = (p: Node | undefined): Node | undefined => p && reshape(p, [groups, width, 1]);
  const y = scaled(standardized(inGroups, [2, 3], eps), along(weight), along(bias));
  return reshape(cast(y, computeDtype(x.dtype)), x.shape);
}
