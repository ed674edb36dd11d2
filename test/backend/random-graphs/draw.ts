import type { DType } from "../../../src/base/dtype.ts";
import type { Node } from "../../../src/ir/node.ts";
import { build, Choices, type Values } from "../../property/random-graph.ts";

/** Numbers that are easily taken for one another, or that end up where a rule no longer holds. */
const floats = [0, -0, 1, -1, 2, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const byDType: { readonly [D in DType]?: readonly number[] } = {
  f32: [...floats, 2 ** -149, -(2 ** -130), 2 ** -126, 3.4028234663852886e38, -3e38, 0.1, -2.5, 1e30],
  f64: [...floats, Number.MIN_VALUE, -1e-310, 2 ** -1022, Number.MAX_VALUE, -1e308, 0.1, -2.5, 1e200],
  i32: [0, 1, -1, 2, 31, -2147483648, 2147483647, 65537, -7, 300],
  u8: [0, 1, 2, 7, 128, 254, 255],
  bool: [0, 1],
};
const nasty: Values = { inputs: byDType, constants: (dtype) => byDType[dtype] ?? floats };

/** Pseudo-random whole numbers, the same for the same seed. */
function* numbersFrom(seed: number): Generator<number> {
  let state = Math.imul(seed + 1, 0x9e3779b9) | 0;
  for (;;) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    yield ((t ^ (t >>> 14)) >>> 0) % 1000;
  }
}

/** The nodes of the graph of a seed, and which of them are asked for: what nothing uses, and here and there another. */
export function drawGraph(seed: number): { nodes: Node[]; outputs: Node[] } {
  const stream = numbersFrom(seed);
  const next = (): number => stream.next().value as number;
  const numbers = Array.from({ length: 20 + (next() % 60) }, next);
  const nodes = build(new Choices(numbers, nasty));
  const used = new Set(nodes.flatMap((n) => n.src));
  const outputs = nodes.filter(
    (n) => (!used.has(n) || next() % 5 === 0) && n.op !== "input" && n.op !== "variable",
  );
  return { nodes, outputs };
}
