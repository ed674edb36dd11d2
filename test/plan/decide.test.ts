import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planned } from "../../src/engine/realize.ts";
import type { Node } from "../../src/ir/node.ts";
import { node } from "../../src/ir/node.ts";
import * as nn from "../../src/nn/index.ts";
import { crossEntropy } from "../../src/nn/losses/index.ts";
import { buildPlan, type PlanRequest } from "../../src/plan/build.ts";
import { Decisions } from "../../src/plan/decide.ts";
import { lower } from "../../src/plan/lower.ts";
import type { PlanGraph } from "../../src/plan/plan.ts";
import { prepare } from "../../src/plan/prepare.ts";
import { gradient, randint, randn } from "../../src/tensor/index.ts";
import {
  constant,
  expand,
  input,
  matmul,
  permute,
  randomSteps,
  requestOf,
  reshape,
  sum,
} from "./random-graph.ts";

type Asked = Pick<PlanRequest, "outputs" | "writes">;

const resident = (leaf: Node<"input">) => leaf.shape.length > 1;

const graphOf = ({ outputs, writes }: Asked): PlanGraph =>
  buildPlan({ outputs, writes, checks: [], resident }).graph;

/**
 * Whether a graph is planned by what was decided about another one; its plan is compared with one by decisions of its own.
 */
function follows(other: Asked, asked: Asked): boolean {
  const decisions = new Decisions();
  lower(graphOf(other), resident, decisions);
  const graph = graphOf(asked);
  const follows = decisions.decide(graph, prepare(graph)).alike !== null;
  expect(lower(graph, resident, decisions)).toEqual(lower(graph, resident, null));
  return follows;
}

/** Layers of a product, a softmax, an update and a slice each. */
function layers(rows: number, width: number, factor = 0.3): Asked {
  const wide = (n: Node, shape: number[]) => expand(reshape(n, shape), [rows, width]);
  const writes: { target: Node<"input">; value: Node }[] = [];
  let h: Node = input([rows, width]);
  for (let i = 0; i < 4; i++) {
    const w = input([width, width]);
    const scaled = node("mul", [h, constant(factor, [rows, width])], {});
    const e = node("exp", [node("add", [matmul(scaled, w), wide(input([width]), [1, width])], {})], {});
    h = node("add", [h, node("div", [e, wide(sum(e, [1]), [rows, 1])], {})], {});
    const first = node("slice", [h], { start: [0, 0], size: [rows, 1], step: [1, 1] });
    h = node("sub", [h, wide(first, [rows, 1])], {});
    const slope = matmul(permute(h, [1, 0]), h);
    writes.push({ target: w, value: node("sub", [w, node("mul", [slope, w], {})], {}) });
  }
  return { outputs: [h], writes };
}

describe("decisions about a graph", () => {
  it("hold for one that is the same but for sizes", () => {
    expect(follows(layers(40, 32), layers(41, 32))).toBe(true);
    expect(follows(layers(40, 32), layers(41, 33))).toBe(true);
    expect(follows(layers(40, 32, 0.3), layers(40, 32, 0.7))).toBe(true);
  });

  it("hold where sizes become equal that nobody has compared, but not where they were equal and become different", () => {
    expect(follows(layers(40, 32), layers(32, 32))).toBe(true);
    expect(follows(layers(32, 32), layers(40, 32))).toBe(false);
  });

  it("are taken anew where sizes become equal that were compared", () => {
    // Whether what is made of a matrix is made along with its transpose is asked of their shapes first.
    const turned = (rows: number): Asked => ({
      outputs: Array.from({ length: 20 }, () => {
        const x = node("exp", [input([rows, 24])], {});
        return node("add", [node("tanh", [permute(x, [1, 0])], {}), input([24, rows])], {});
      }),
      writes: [],
    });
    expect(follows(turned(80), turned(90))).toBe(true);
    expect(follows(turned(80), turned(24))).toBe(false);
    expect(follows(turned(24), turned(80))).toBe(false);
  });

  it("of several graphs of one form are all remembered", () => {
    const decisions = new Decisions();
    const taken = (asked: Asked): boolean => {
      const graph = graphOf(asked);
      const isTaken = decisions.decide(graph, prepare(graph)).alike !== null;
      expect(lower(graph, resident, decisions)).toEqual(lower(graph, resident, null));
      return isTaken;
    };
    // Equal sizes, which others are not, have decisions of their own, and those of others stay.
    expect([32, 40, 41, 32].map((rows) => taken(layers(rows, 32)))).toEqual([false, false, true, true]);
  });

  it("are taken anew where a size is 1, where work is done in another way, or a constant is part of the code", () => {
    expect(follows(layers(40, 32), layers(1, 32))).toBe(false);
    expect(follows(layers(40, 32), layers(2, 32))).toBe(false);
    expect(follows(layers(40, 32), layers(0, 32))).toBe(false);
    expect(follows(layers(40, 32, 0.3), layers(40, 32, 0.5))).toBe(false);
  });

  it("mean the same plan as those taken anew: random graphs, of any sizes", () => {
    // The last ones make sizes equal that are not in [211, 37], or 1.
    const others = [
      [307, 53],
      [307, 37],
      [211, 53],
      [1009, 101],
      [37, 37],
      [74, 37],
      [1, 37],
      [2, 37],
      [211, 3],
      [37, 211],
      [111, 37],
    ] as const;
    let [graphs, followed] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(randomSteps(12), { minLength: 12, maxLength: 14 }),
        fc.constantFrom(...others),
        (all, other) => {
          const of = (size: readonly [number, number]): Asked => {
            const made = all.map((steps, i) => requestOf(steps, i, size)).filter((r) => r !== null);
            return { outputs: made.flatMap((r) => r.outputs), writes: made.flatMap((r) => r.writes) };
          };
          graphs++;
          if (follows(of([211, 37]), of(other))) followed++;
        },
      ),
      { numRuns: 24 },
    );
    expect(followed).toBeGreaterThan(0);
    expect(followed).toBeLessThan(graphs);
  });

  it("hold for a further length, and a further batch, of a network's gradients", () => {
    const layer = new nn.TransformerEncoderLayer(24, 3, { dimFeedforward: 40, dropout: 0, batchFirst: true });
    const head = new nn.Linear(24, 5);
    const parameters = [...layer.parameters(), ...head.parameters()];
    const graphFor = (batch: number, length: number): Asked => {
      const [x, y] = [randn([batch, length, 24]), randint(0, 5, [batch])];
      let outputs: readonly Node[] = [];
      planned(() => {
        const loss = crossEntropy(head.forward(layer.forward(x).mean(1)), y);
        outputs = [loss.node, ...gradient(loss, parameters).map((g) => g!.node)];
        return outputs;
      });
      return { outputs, writes: [] };
    };
    expect(follows(graphFor(7, 17), graphFor(7, 19))).toBe(true);
    expect(follows(graphFor(7, 17), graphFor(11, 17))).toBe(true);
    // As long as a batch, a head, the layer between, and heads of all of a batch; as long as the width, shapes are others turned.
    for (const length of [7, 8, 40, 56]) expect(follows(graphFor(7, 17), graphFor(7, length))).toBe(true);
    expect(follows(graphFor(7, 17), graphFor(7, 24))).toBe(false);
    expect(follows(graphFor(7, 7), graphFor(7, 17))).toBe(false);
  });

  it("hold for a further number of rows whose columns are added up", () => {
    const norms = Array.from({ length: 4 }, () => new nn.LayerNorm(72));
    const parameters = norms.flatMap((norm) => [...norm.parameters()]);
    const graphFor = (rows: number[]): Asked => {
      const x = randn([...rows, 72]);
      let outputs: readonly Node[] = [];
      planned(() => {
        const y = norms.reduce((h, norm) => norm.forward(h).tanh(), x);
        outputs = [y.node, ...gradient(y.square().sum(), parameters).map((g) => g!.node)];
        return outputs;
      });
      return { outputs, writes: [] };
    };
    const adding = (asked: Asked) =>
      lower(graphOf(asked), resident, null).calls.filter(
        ({ kernel }) => kernel.kind === "loop" && kernel.blocks !== undefined,
      );
    expect(adding(graphFor([320])).length).toBeGreaterThanOrEqual(4);
    expect(follows(graphFor([320]), graphFor([340]))).toBe(true);
    expect(follows(graphFor([5, 64]), graphFor([7, 64]))).toBe(true);
    expect(follows(graphFor([320]), graphFor([311]))).toBe(false);
  });
});
