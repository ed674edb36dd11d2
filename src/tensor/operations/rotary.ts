import { ShapeError } from "../../base/errors.ts";
import { broadcastShapes, sameShape, shapeText } from "../../base/shape.ts";
import { cast, flip, neg, reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { add, mul, sub } from "./elementwise.ts";
import { cat, narrow } from "./movement.ts";
import { broadcastTo, floating, refuseIntegers } from "./promote.ts";
import { stated } from "./stated.ts";

/**
 * Pairs of the first features turned by angles, of which cosine and sine are given. The pair of feature i is i + half, or,
 * where they are interleaved, its neighbour.
 */
export function rotary(input: Node, cos: Node, sin: Node, interleaved: boolean): Node {
  const op = "rotaryEmbedding";
  for (const x of [input, cos, sin]) refuseIntegers(op, x);
  const features = input.shape.at(-1);
  const half = cos.shape.at(-1);
  if (features === undefined || half === undefined || !sameShape(cos.shape, sin.shape))
    throw new ShapeError(
      `${op}: an input of shape ${shapeText(input.shape)}, cos of ${shapeText(cos.shape)} and sin of ${shapeText(sin.shape)}: ` +
        "the input is [*, features], and cos and sin have one shape, [*, pairs]",
    );
  if (2 * half > features)
    throw new ShapeError(
      `${op}: cos and sin of shape ${shapeText(cos.shape)} are of ${half} pairs, and ${features} features are ` +
        `${Math.floor(features / 2)}; where each angle is there twice, take cos.narrow(-1, 0, ${Math.floor(half / 2)}), and of sin the same`,
    );
  const [lead, places] = [input.shape.slice(0, -1), cos.shape.slice(0, -1)];
  const met = broadcastShapes(lead, places);
  if (met === null || !sameShape(met, lead))
    throw new ShapeError(
      `${op}: cos and sin of shape ${shapeText(cos.shape)} do not broadcast to an input of shape ${shapeText(input.shape)}: ` +
        "from the right, what stands before the pairs must be as before the features, or 1",
    );
  const x = floating(input);
  const turned = turn(narrow(x, -1, 0, 2 * half), cast(cos, x.dtype), cast(sin, x.dtype), interleaved);
  return 2 * half === features ? turned : cat([turned, narrow(x, -1, 2 * half, features - 2 * half)], -1);
}

function turn(x: Node, cos: Node, sin: Node, interleaved: boolean): Node {
  const half = cos.shape.at(-1)!;
  const axis = x.shape.length - (interleaved ? 0 : 1);
  const paired = (of: readonly number[], count: number): number[] => [
    ...of.slice(0, -1),
    ...(interleaved ? [half, count] : [count, half]),
  ];
  const shape = paired(x.shape, 2);
  const pairs = reshape(x, shape);
  // −sin for the first of each pair. What is made of the angles alone is small, and made once for all heads.
  const both = paired(sin.shape, 2);
  const place = node("iota", [], { shape: both, axis: both.length - (interleaved ? 1 : 2), dtype: "i32" });
  const spread = broadcastTo(reshape(sin, paired(sin.shape, 1)), both, "rotaryEmbedding");
  const signed = mul(spread, cast(sub(mul(place, 2), 1), x.dtype));
  const inPairs = (t: Node): Node => broadcastTo(t, shape, "rotaryEmbedding");
  const value = add(
    mul(pairs, inPairs(reshape(cos, paired(cos.shape, 1)))),
    mul(flip(pairs, axis), inPairs(signed)),
  );
  const result = reshape(value, x.shape);
  if (cos.tracked || sin.tracked) return result;
  // A rotation is undone by the opposite one: stated, as the sum of flipped products would go through memory.
  return stated(result, [x, (g) => turn(g, cos, neg(sin), interleaved)]);
}

/** Angles of positions, of shape [*positions, dim / 2]: position · theta^(−2i / dim). */
export function rotaryAngles(positions: Node, frequencies: Node): Node {
  const x = floating(positions);
  const shape = [...x.shape, frequencies.shape[0]!];
  return mul(
    broadcastTo(reshape(x, [...x.shape, 1]), shape, "rotaryAngles"),
    broadcastTo(cast(frequencies, x.dtype), shape, "rotaryAngles"),
  );
}
