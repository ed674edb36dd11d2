import fc from "fast-check";
import { expect, test } from "vitest";
import { narrow } from "../../src/autodiff/narrow.ts";
import { type Node, topological } from "../../src/ir/node.ts";
import { print } from "../../src/ir/print.ts";
import { verify } from "../../src/ir/verify.ts";
import { selection } from "../autodiff/selection.ts";
import { allElementsOf } from "../ir/values.ts";
import { build, Choices, equal, graph } from "./random-graph.ts";

/** The elements of a row-major tensor at places along an axis. */
function partOf(
  elements: readonly number[],
  { shape }: Node,
  axis: number,
  places: readonly number[],
): number[] {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return elements.filter((_, i) => places.includes(Math.floor(i / inner) % shape[axis]!));
}

test("a narrowed graph computes the bits of that part of the whole", () => {
  fc.assert(
    fc.property(graph, fc.array(fc.nat(1000), { minLength: 500, maxLength: 500 }), (numbers, choices) => {
      const pick = new Choices(choices);
      const roots = build(new Choices(numbers)).filter(({ shape }) => shape.length > 0);
      const cuts = roots.map((root) => {
        const axis = pick.below(root.shape.length);
        const size = root.shape[axis]!;
        const from = pick.below(size);
        const to = from + 1 + pick.below(size - from);
        const all = Array.from({ length: size }, (_, i) => i);
        const places = pick.below(2) === 0 ? all.slice(from, to) : all.filter(() => pick.below(2) === 0);
        const named = selection(axis, size, places);
        // That places are neighbours may be known, or not.
        return { root, axis, places, named: pick.below(2) === 0 ? named : { ...named, start: null } };
      });
      const computed = new Set(topological(roots).filter(() => pick.below(4) === 0));
      const narrowed = cuts.map(({ root, named }) => narrow(root, named, computed));
      verify(topological(narrowed));
      const whole = allElementsOf(roots);
      const parts = allElementsOf(narrowed);
      cuts.forEach(({ root, axis, places }, i) => {
        const expected = partOf(whole[i]!, root, axis, places);
        const part = narrowed[i]!;
        expect(part.shape).toEqual(root.shape.with(axis, places.length));
        expect(part.dtype).toBe(root.dtype);
        const wrong = expected.findIndex((x, e) => !equal(x, parts[i]![e]!));
        if (wrong >= 0)
          expect.fail(
            `places ${places} of axis ${axis}, element ${wrong}: ${expected[wrong]} became ${parts[i]![wrong]}\n` +
              `${print(topological([root]))}\nnarrowed:\n${print(topological([part]))}`,
          );
      });
    }),
    { numRuns: 1500 },
  );
});
