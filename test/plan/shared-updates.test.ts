import { describe, expect, test } from "vitest";
import { Storage } from "../../src/engine/storage.ts";
import type { Collective } from "../../src/ir/collective.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { twin } from "../ir/twin.ts";

const leaf = (source: Storage, shape: number[]) =>
  node("input", [], { source, version: 0, shape, dtype: source.dtype });
const binary = (op: "add" | "sub" | "mul") => (a: Node, b: Node) => node(op, [a, b], {});
const [add, sub, mul] = [binary("add"), binary("sub"), binary("mul")];
const sum = (n: Node) => node("sum", [n], { axes: [0] });

/** What an update is made of: the parameter, what is kept of it, another tensor that lasts, and the sum of gradients. */
interface Made {
  readonly w: Node<"input">;
  readonly m: Node<"input">;
  readonly other: Node<"input">;
  readonly total: Node;
  /** The new values. */
  readonly wNext: Node;
  readonly mNext: Node;
}

/** The updates that ranks may share out of w := w - m, m := m + Σ x², unless `change` says something else. */
function updatesOf(
  length: number,
  change: (made: Made) => { w?: Node; m?: Node; outputs?: Node[] } = () => ({}),
  by: Collective = twin,
) {
  const stored = () => leaf(new Storage("f32", length, new Float32Array(length), true), [length]);
  const [w, m, other] = [stored(), stored(), stored()];
  const x = leaf(new Storage("f32", length, new Float32Array(length), false), [length]);
  const total = node("allReduce", [mul(x, x)], { by, turn: 0 });
  const mNext = add(m, total);
  const wNext = sub(w, mNext);
  const changed = change({ w, m, other, total, wNext, mNext });
  const plan = buildPlan({
    outputs: changed.outputs ?? [],
    writes: [
      { target: w, value: changed.w ?? wNext },
      { target: m, value: changed.m ?? mNext },
    ],
    checks: [],
    resident: ({ attrs }) => (attrs.source as Storage).resident,
  });
  return { plan, updates: plan.exchanges.flatMap(({ updates }) => updates) };
}

const length = 70_000;

test("what goes over memory that lasts by a sum and nothing else is shared out, with all that it goes over", () => {
  const { plan, updates } = updatesOf(length);
  expect(updates).toHaveLength(1);
  const [update] = updates;
  expect(update).toMatchObject({ length, stored: [{ bytes: 4 }, { bytes: 4 }] });
  const slots = update!.stored.map(({ buffer }) => plan.buffers[buffer]!);
  expect(slots.map(({ kind }) => kind)).toEqual(["input", "input"]);
  expect(plan.calls[update!.call]!.kernel.kind).toBe("loop");
  // The other rank, whose own gradient has another place in the sum, knows it by the same number.
  const other = updatesOf(length, undefined, { ...twin, rank: 1 }).updates;
  expect(other[0]!.key).toBe(update!.key);
  expect(updatesOf(length, ({ w, total }) => ({ w: sub(w, total) })).updates[0]!.key).not.toBe(update!.key);
});

describe("each rank updates all of", () => {
  const cases: readonly [string, ReturnType<typeof updatesOf>["updates"]][] = [
    ["what is small", updatesOf(65_535).updates],
    ["what more than two ranks update", updatesOf(length, undefined, { ...twin, size: 3 }).updates],
    [
      "what is made of something else that lasts, which ranks may have each its own of",
      updatesOf(length, ({ w, other, total }) => ({ w: sub(w, mul(other, total)) })).updates,
    ],
    [
      "what is asked for besides",
      updatesOf(length, ({ mNext, wNext }) => ({ outputs: [mNext, wNext] })).updates,
    ],
    [
      "what is made of a sum of its elements",
      updatesOf(length, ({ w, total }) => ({
        w: sub(w, node("expand", [node("reshape", [sum(total)], { shape: [1] })], { shape: [length] })),
      })).updates,
    ],
    [
      "what is read after the last exchange",
      updatesOf(length, ({ w, total }) => ({ outputs: [sum(mul(w, total))] })).updates,
    ],
  ];
  test.each(cases)("%s", (_, updates) => {
    expect(updates.length).toBeGreaterThan(0);
    expect(updates.every((update) => update === null)).toBe(true);
  });
});
