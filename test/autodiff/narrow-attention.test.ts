import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { narrow, type Selection } from "../../src/autodiff/narrow.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { type Node, topological } from "../../src/ir/node.ts";
import { verify } from "../../src/ir/verify.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { allElementsOf } from "../ir/values.ts";
import { type Projected, projectedAttention } from "./projected-attention.ts";
import { selection } from "./selection.ts";

const rows = (weight: Node, from: number, count: number): Selection =>
  selection(
    0,
    weight.shape[0]!,
    Array.from({ length: count }, (_, i) => from + i),
  );

/** That parts of the gradients have the numbers that the wholes have there. */
function expectParts(p: Projected, cutOf: (whole: Node) => readonly [number, number]): void {
  const { loss, gradients } = projectedAttention(p);
  const forward = new Set(topological([loss]));
  const cuts = gradients.map(cutOf);
  const parts = gradients.map((whole, i) => narrow(whole, rows(whole, ...cuts[i]!), forward));
  verify(topological(parts));
  const found = allElementsOf([...gradients, ...parts]);
  for (const [i, [from, count]] of cuts.entries()) {
    const width = gradients[i]!.shape[1]!;
    const wanted = found[i]!.slice(from * width, (from + count) * width);
    const got = found[gradients.length + i]!;
    expect(got.length).toBe(wanted.length);
    for (const [at, x] of wanted.entries())
      if (!(Math.abs(got[at]! - x) <= 1e-5 * (1 + Math.abs(x))))
        expect.fail(`gradient ${i}, rows ${from} to ${from + count}, element ${at}: ${got[at]}, not ${x}`);
  }
}

describe("rows of a projection have the gradient of the whole", () => {
  const sizes = { batches: 2, length: 3, heads: 4, group: 1, size: 2 };
  const cases: readonly (readonly [string, Projected])[] = [
    ["by positions", sizes],
    ["by heads", { ...sizes, byHead: true }],
    ["of one head", { ...sizes, heads: 1, size: 5 }],
    ["of heads that share keys", { ...sizes, heads: 2, group: 3 }],
    ["of heads that all share one key", { ...sizes, heads: 1, group: 3 }],
    [
      "of heads that share keys, by heads, causal",
      { ...sizes, heads: 3, group: 2, byHead: true, causal: true },
    ],
    ["causal", { ...sizes, causal: true }],
    ["with a mask of bools", { ...sizes, mask: "bools" }],
    ["with a mask of numbers", { ...sizes, mask: "numbers", group: 2 }],
    ["with dropout", { ...sizes, dropout: 0.3 }],
  ];
  test.each(cases)("%s", (_, p) => {
    const size = p.size;
    expectParts(p, () => [0, size]);
    expectParts(p, ({ shape }) => [shape[0]! - size, size]);
    expectParts(p, ({ shape }) => [1, Math.min(size + 1, shape[0]! - 1)]);
    expectParts(p, ({ shape }) => [0, shape[0]!]);
    expectParts(p, () => [0, 0]);
  });

  test("wherever they are", () => {
    const sizesOf = fc.record({
      batches: fc.integer({ min: 1, max: 2 }),
      length: fc.integer({ min: 1, max: 3 }),
      heads: fc.integer({ min: 1, max: 4 }),
      group: fc.integer({ min: 1, max: 3 }),
      size: fc.integer({ min: 1, max: 3 }),
      byHead: fc.boolean(),
      dropout: fc.constantFrom(0, 0, 0, 0.5),
    });
    const kinds: readonly Pick<Projected, "causal" | "mask">[] = [
      {},
      { causal: true },
      { mask: "bools" },
      { mask: "numbers" },
    ];
    fc.assert(
      fc.property(sizesOf, fc.constantFrom(...kinds), fc.nat(99), fc.nat(99), (sizes, kind, a, b) => {
        expectParts({ ...sizes, ...kind }, ({ shape }) => {
          const from = a % shape[0]!;
          return [from, 1 + (b % (shape[0]! - from))];
        });
      }),
      { numRuns: 150 },
    );
  });
});

test("places along any dimension of a gradient of attention have that part of the whole", () => {
  const sizes = { batches: 2, length: 3, heads: 4, group: 2, size: 2 };
  const kinds: readonly Partial<Projected>[] = [
    { byHead: true },
    { causal: true },
    { mask: "bools" },
    { mask: "numbers", byHead: true },
    { dropout: 0.3 },
  ];
  for (const kind of kinds)
    for (const gradient of projectedAttention({ ...sizes, ...kind }).gradients) {
      const whole = topological([gradient]).find(
        (n) => n.op === "reshape" && n.src[0]!.op === "attentionGradient",
      )!;
      const cuts = whole.shape.flatMap((size, axis) => {
        const range = selection(axis, size, [size - 1]);
        return [range, { ...range, start: null }, selection(axis, size, size > 2 ? [0, 2] : [0])];
      });
      const [known, ...parts] = allElementsOf([whole, ...cuts.map((cut) => narrow(whole, cut))]);
      const wanted = cuts.map((cut) => {
        const places = allElementsOf([cut.indices])[0]!;
        const inner = sizeOf(whole.shape.slice(cut.axis + 1));
        return known!.filter((_, i) => places.includes(Math.floor(i / inner) % cut.size));
      });
      expect(parts).toEqual(wanted);
    }
});

describe("what rows of a projection cost", () => {
  const sizes = { batches: 2, length: 32, heads: 4, group: 2, size: 8 };

  /** What the kernels of the gradients of query, key and value do, the cut ones beside the whole ones. */
  function costs(p: Projected, from: number, count: number) {
    const { loss, gradients } = projectedAttention(p);
    const forward = new Set(topological([loss]));
    return gradients.map((whole) => {
      const [all, part] = [whole, narrow(whole, rows(whole, from, count), forward)].map((output) =>
        buildPlan({ outputs: [output], writes: [], checks: [], resident: () => false }).explain(),
      );
      const flopsOf = (kernels: NonNullable<typeof all>["kernels"]) =>
        kernels
          .filter(({ kind }) => kind === "attentionGradient")
          .map(({ flops }) => flops)
          .reduce((a, b) => a + b, 0);
      const attentions = part!.kernels.filter(({ kind }) => kind === "attention").length;
      return { share: flopsOf(part!.kernels) / flopsOf(all!.kernels), attentions };
    });
  }

  test("is that of the heads that they are in", () => {
    for (const p of [sizes, { ...sizes, byHead: true }, { ...sizes, causal: true }]) {
      // The rows of the query's two heads that share the second of keys; of those of keys and values, the third and fourth.
      const [query, key, value] = costs(p, 16, 16);
      expect([query, key, value]).toEqual([
        { share: 1 / 4, attentions: 1 },
        { share: 2 / 4, attentions: 1 },
        { share: 2 / 4, attentions: 1 },
      ]);
    }
  });

  test("is that of all that a range touches", () => {
    expect(costs(sizes, 15, 2).map(({ share }) => share)).toEqual([2 / 4, 2 / 4, 2 / 4]);
    expect(costs(sizes, 1, 31).map(({ share }) => share)).toEqual([2 / 4, 1, 1]);
  });

  test("is that of a head of queries where all share one of keys", () => {
    const [query, key] = costs({ ...sizes, heads: 1, group: 8 }, 0, 8);
    expect(query!.share).toBe(1 / 8);
    expect(key!.share).toBe(1);
  });

  test("is that of the whole where dropout numbers all weights", () => {
    expect(costs({ ...sizes, dropout: 0.1 }, 0, 8).map(({ share }) => share)).toEqual([1, 1, 1]);
  });

  test("is nothing where the whole is computed anyway", () => {
    const { loss, gradients } = projectedAttention(sizes);
    const computed = new Set(topological([loss, ...gradients]));
    const parts = gradients.map((whole) => narrow(whole, rows(whole, 0, 8), computed));
    const nodes = (roots: readonly Node[]) =>
      topological(roots).filter(({ op }) => op === "attentionGradient");
    expect(new Set(nodes(parts))).toEqual(new Set(nodes(gradients)));
  });
});
