import fc from "fast-check";
import { expect, test } from "vitest";
import { type Node, topological } from "../../src/ir/node.ts";
import { print } from "../../src/ir/print.ts";
import { simplify } from "../../src/ir/simplify.ts";
import { verify } from "../../src/ir/verify.ts";
import { allElementsOf } from "../ir/values.ts";
import { build, Choices, graph } from "./random-graph.ts";

test("simplified graphs compute the same bits", () => {
  fc.assert(
    fc.property(graph, (numbers) => {
      const roots = build(new Choices(numbers));
      const simplified = simplify(roots);
      verify(topological(simplified));
      const before = allElementsOf(roots);
      const after = allElementsOf(simplified);
      roots.forEach((root, i) => {
        expect([simplified[i]!.shape, simplified[i]!.dtype]).toEqual([root.shape, root.dtype]);
        const wrong = before[i]!.findIndex((x, e) => !Object.is(x, after[i]![e]!));
        if (wrong >= 0)
          expect.fail(
            `root ${i}, element ${wrong}: ${before[i]![wrong]} became ${after[i]![wrong]}\n` +
              `${print(topological([root]))}\nsimplified:\n${print(topological([simplified[i]!]))}`,
          );
      });
    }),
    { numRuns: 1500 },
  );
});

test("simplified graphs are untracked, hold no identities, and are not larger", () => {
  fc.assert(
    fc.property(graph, (numbers) => {
      const roots = build(new Choices(numbers));
      const order = topological(simplify(roots));
      for (const n of order) {
        expect(n.tracked).toBe(false);
        expect(["variable", "detach", "stated"]).not.toContain(n.op);
      }
      // A folded or multiplied-by constant may need its two movements anew.
      const count = (nodes: readonly Node[]) =>
        nodes.filter((n) => !["constant", "reshape", "expand"].includes(n.op)).length;
      expect(count(order)).toBeLessThanOrEqual(count(topological(roots)));
    }),
    { numRuns: 300 },
  );
});

test("simplifying again changes nothing", () => {
  fc.assert(
    fc.property(graph, (numbers) => {
      const once = simplify(build(new Choices(numbers)));
      const twice = simplify(once);
      once.forEach((n, i) => {
        if (twice[i] !== n) expect(print(topological([twice[i]!]))).toBe(print(topological([n])));
      });
    }),
    { numRuns: 500 },
  );
});
