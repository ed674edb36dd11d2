import type { Tensor } from "thaw/tensor";
import * as thaw from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { allocate } from "../../src/base/dtype.ts";
import { sizeOf } from "../../src/base/shape.ts";
import type { Storage } from "../../src/engine/storage.ts";
import type { Node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { binary, lines, unary } from "./extremes.ts";
import { readFixture } from "./fixture.ts";

/**
 * Values and gradients at zeros, subnormals, huge and infinite numbers and NaN are PyTorch's on every backend, signs of
 * zeros in values too. Where PyTorch's vector code and its scalar code differ, either is right.
 */

type Width = "f32" | "f64";
type Kind = "unary" | "binary" | "lines";
type Numbers = readonly (number | string)[];
interface Case {
  readonly name: string;
  readonly results: readonly Numbers[];
  readonly or?: readonly Readonly<Record<string, number | string>>[];
}
type Group = { readonly inputs: readonly Numbers[]; readonly cases: readonly Case[] };

const fixture = readFixture<Record<Width, Record<Kind, Group>>>("extremes.json.gz");
const tables: Record<Kind, Readonly<Record<string, (...args: Tensor[]) => Tensor>>> = {
  unary,
  binary,
  lines,
};

/** Functions that are exact but for a few units in the last place, their smallest results too. */
const exact = new Set([
  ..."neg abs square reciprocal sqrt exp expm1 log log2 log10 log1p sinh cosh tanh erfc hypot logaddexp xlogy add sub mul div".split(
    " ",
  ),
  ..."floorDivide fmod lerp logSigmoid prod cumsum logit".split(" "),
]);
/** By name, what may differ, and why. */
const accepted: Readonly<
  Record<string, { rtol?: number; atol?: number; zeros?: true; rows?: true; why: string }>
> = {
  ...Object.fromEntries(
    "maximum,minimum,clamp,clamp min,clamp max,clamp both,amin,amax,relu,relu6,min,max,max all"
      .split(",")
      .map((name) => [
        name,
        {
          zeros: true,
          why: "which of two equal zeros is taken is the machine's in PyTorch, and +0 is more than -0 here",
        },
      ]),
  ),
  ...Object.fromEntries(
    ["sum", "mean", "var", "var 0", "var 5", "std", "std 0", "std 4", "std 5", "var 4", "layerNorm"].map(
      (name) => [
        name,
        {
          rows: true,
          zeros: true,
          why: "of sums that cancel digits depend on the order, and on where f64 takes over",
        },
      ],
    ),
  ),
  gelu: { zeros: true, why: "1 + erf is 0 far below, whose product has a sign of its own" },
  "gelu tanh": { zeros: true, why: "as gelu" },
  hardsigmoid: { rtol: 1e-7, why: "PyTorch's sixth is in f32" },
  hardswish: { rtol: 1e-7, why: "as hardsigmoid" },
  softmax: { atol: 1e-6, why: "a gradient that cancels to nothing" },
  logSoftmax: { atol: 1e-6, why: "as softmax" },
  logsumexp: {
    rtol: 1e-4,
    rows: true,
    why: "PyTorch takes the gradient from the rounded result; here it has all digits",
  },
  binaryCrossEntropyWithLogits: { atol: 1e-7, why: "a gradient that cancels, in one or the other order" },
};
/** Rows of sums that cancel: sums of other orders have other digits. */
const cancelling = new Set([5, 6, 9, 21]);
/** PyTorch multiplies and adds at once: what overflows in between, or not, is the machine's. */
const fused = new Set(["addcmul"]);

/** A compiler takes its time for each: those whose code is made of more than one operation of the machine. */
const compiled = new Set([
  ..."sinh cosh erfc expm1 log1p logit elu celu hardswish softplus logSigmoid hypot logaddexp xlogy floorDivide fmod remainder".split(
    " ",
  ),
  ..."lerp weight,clamp both,norm 3,norm inf,var 4,std,max all".split(","),
]);

function close(width: Width, { name }: Case, value: boolean, got: number, want: number): boolean {
  if (Object.is(got, want)) return true;
  if (got === want) return want === 0 ? !value || accepted[name]?.zeros === true : true;
  if (!Number.isFinite(want)) return fused.has(name) && Number.isNaN(got);
  if (Number.isNaN(got)) return false;
  const [rtol, atol, tiny] = width === "f32" ? [1e-5, 5e-7, 1e-43] : [1e-12, 1e-15, 1e-322];
  const strict = value && exact.has(name) ? [width === "f32" ? 1e-6 : 4e-15, tiny] : [rtol, atol];
  const { rtol: more = 0, atol: least = 0 } = accepted[name] ?? {};
  return (
    Math.abs(got - want) <= Math.max(strict[0]!, more) * Math.abs(want) + Math.max(strict[1]!, least, tiny)
  );
}

/** What a group's operations and their gradients are on a backend, all in one plan. */
function run(backend: string, width: Width, kind: Kind, cases: readonly Case[]): number[][][] {
  const shape = (count: number): number[] => (kind === "lines" ? [count / 4, 4] : [count]);
  const made = cases.map(({ name, results }) => {
    const args = fixture[width][kind].inputs.map((values) =>
      thaw.fromArray(values.map(Number), shape(values.length), { dtype: width, requiresGrad: true }),
    );
    const out = tables[kind][name]!(...args);
    if (results.length === 1) return [out.node];
    const grads = thaw.gradient(out, args, { gradient: thaw.onesLike(out) });
    return [out.node, ...grads.map((g, i) => (g ?? thaw.zerosLike(args[i]!)).node)];
  });
  const outputs = made.flat();
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const executable = backendOf(backend).load(plan);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  const sourceOf = (leaf: Node): Storage => (leaf as Node<"input">).attrs.source as Storage;
  const bindings = plan.graph.leaves.map((leaf) => sourceOf(leaf).read());
  expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
  executable.free();
  let next = 0;
  return made.map((nodes) => nodes.map(() => Array.from(results[next++]!, Number)));
}

const groups = (["f32", "f64"] as const).flatMap((width) =>
  (["unary", "binary", "lines"] as const).map((kind) => [width, kind] as const),
);

describe.each(backendNames())("%s", (backend) => {
  test.each(groups)("%s, %s", { timeout: 300_000 }, (width, kind) => {
    const { inputs, cases } = fixture[width][kind];
    const chosen = backend === "native" ? cases.filter(({ name }) => compiled.has(name)) : cases;
    const wrong: string[] = [];
    for (const [c, results] of run(backend, width, kind, chosen).entries()) {
      const known = chosen[c]!;
      for (const [r, got] of results.entries()) {
        const want = known.results[r]!;
        const perRow = Math.max(1, want.length / (inputs[0]!.length / 4));
        for (let i = 0; i < want.length; i++) {
          const row = kind === "lines" ? Math.floor(i / perRow) : 0;
          if (kind === "lines" && accepted[known.name]?.rows && cancelling.has(row)) continue;
          const rights = [want[i]!, known.or?.[r]?.[i]].flatMap((x) => (x === undefined ? [] : [Number(x)]));
          if (rights.some((right) => close(width, known, r === 0, got[i]!, right))) continue;
          const given = kind === "lines" ? inputs[0]!.slice(row * 4, row * 4 + 4) : inputs.map((x) => x[i]);
          wrong.push(
            `${known.name}(${given}) ${r === 0 ? "is" : `gradient ${r}:`} ${got[i]}, not ${rights.join(" or ")}`,
          );
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

test("every operation that is called here has its numbers", () => {
  for (const [kind, table] of Object.entries(tables))
    expect(fixture.f32[kind as Kind].cases.map((c) => c.name).sort()).toEqual(Object.keys(table).sort());
});
