import * as nn from "thaw/nn";
import { fromArray, gradient, manualSeed, type Tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { sampled } from "../breadth.ts";
import { expectClose } from "./close.ts";
import { type Fixture, readFixture, valuesOf } from "./fixture.ts";
import { camel } from "./samples/calls.ts";

/** Attention, transformer layers and weight norm against PyTorch, by its own names of parameters. */

/** Blocks are deep: they may be as far from PyTorch as two layers. */
const deep = 2;

type Options = Record<string, unknown>;
type Grads = (Fixture | null)[];

interface Case {
  name: string;
  module: string;
  args: unknown[];
  options: Options;
  norm: { dim?: number | null } | null;
  train: boolean;
  state: [name: string, value: Fixture][];
  inputs: Fixture[];
  masks: Record<string, { tensor: Fixture } | boolean>;
  outputs: Fixture[];
  cotangents: Fixture[];
  grads: Grads;
  second?: { vectors: Grads; grads: Grads };
}

/** What a parameter is drawn from: a uniform of a bound (or within it), a normal, or one value. */
interface Held {
  bound?: number;
  within?: number;
  std?: number;
  value?: number;
}

interface Fixtures {
  cases: Case[];
  defaults: { module: string; args: unknown[]; options: Options; held: Record<string, Held> }[];
}

const { cases, defaults } = readFixture<Fixtures>("blocks.json.gz");

type Block = nn.Module & { forward(...args: unknown[]): Tensor | [Tensor, Tensor | null] };
type Make = new (...args: unknown[]) => Block;
const kinds = nn as unknown as Record<string, Make>;

function made({
  module,
  args,
  options,
  norm = null,
}: Omit<Partial<Case>, "state"> & { module: string }): Block {
  const Class = kinds[module]!;
  if (module === "TransformerEncoder" || module === "TransformerDecoder") {
    const [first, count] = args as [[number, number], number];
    const layer = new kinds[`${module}Layer`]!(...first, options);
    return new Class(layer, count, norm === null ? {} : { norm: new nn.LayerNorm(first[0]) });
  }
  const block = new Class(...args!, options);
  return norm === null ? block : nn.weightNorm(block, { dim: norm.dim ?? null });
}

/** Second gradients cancel: those that there are, are taken in f64. */
function tensorOf(fixture: Fixture, { wide = false, requiresGrad = false } = {}): Tensor {
  const { data, shape, dtype } = valuesOf(fixture);
  return fromArray(data, shape, { dtype: dtype === "f32" && wide ? "f64" : dtype, requiresGrad });
}

/** A gradient that PyTorch does not have is one of zeros here, or none. */
function expectGradients(actual: readonly (Tensor | null)[], expected: Grads, what: string): void {
  for (const [i, want] of expected.entries()) {
    const got = actual[i];
    if (want !== null && got) expectClose(got, want, `${what} ${i}`, 3 * deep);
    else if (want !== null)
      expect(
        valuesOf(want).data.every((x) => x === 0),
        `${what} ${i}`,
      ).toBe(true);
    else if (got)
      expect(
        got.dataSync().every((x) => x === 0),
        `${what} ${i}`,
      ).toBe(true);
  }
}

const sum = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => a.add(b));

// On the native backend nearly every case needs kernels that nothing else does.
const some = (all: readonly Case[]): readonly Case[] =>
  currentBackend().name === "native" ? sampled(all, 4) : all;

describe("blocks", () => {
  test.each(some(cases).map((c) => [c.name, c] as const))("%s", (_, c) => {
    const wide = c.second !== undefined;
    const block = made(c).train(c.train);
    if (wide) block.to("f64");
    expect([...block.stateDict().keys()]).toEqual(c.state.map(([name]) => camel(name)));
    block.loadStateDict(new Map(c.state.map(([name, value]) => [name, tensorOf(value, { wide })])), {
      rename: camel,
    });
    const inputs = c.inputs.map((x) => tensorOf(x, { wide, requiresGrad: true }));
    const masks = Object.fromEntries(
      Object.entries(c.masks).map(([name, v]) => [
        name,
        typeof v === "boolean" ? v : tensorOf(v.tensor, { wide }),
      ]),
    );
    const isSelf = c.module === "MultiheadAttention" && inputs.length === 1;
    const args = isSelf ? [inputs[0], inputs[0], inputs[0]] : inputs;
    const given = Object.keys(masks).length > 0 ? [...args, masks] : args;
    const outputs = [block.forward(...given)].flat().filter((out) => out !== null);
    expect(outputs.length).toBe(c.outputs.length);
    for (const [i, out] of outputs.entries()) expectClose(out, c.outputs[i]!, `output ${i}`, deep);
    const leaves = [...inputs, ...block.parameters()];
    const total = sum(outputs.map((out, i) => out.mul(tensorOf(c.cotangents[i]!, { wide })).sum()));
    const first = gradient(total, leaves, { createGraph: c.second !== undefined });
    expectGradients(first, c.grads, "gradient");
    if (c.second === undefined) return;
    const { vectors, grads } = c.second;
    const terms = first.flatMap((g, i) =>
      g && vectors[i] ? [g.mul(tensorOf(vectors[i], { wide })).sum()] : [],
    );
    expectGradients(gradient(sum(terms), leaves), grads, "second gradient");
  });
});

describe("what a new block holds", () => {
  test.each(defaults.map((c) => [`${c.module} ${JSON.stringify(c.options)}`, c] as const))("%s", (_, c) => {
    manualSeed(5);
    const block = made(c);
    const parameters = new Map(block.namedParameters());
    expect([...parameters.keys()].sort()).toEqual(Object.keys(c.held).map(camel).sort());
    for (const [name, { bound, within, std, value }] of Object.entries(c.held)) {
      const values = Array.from(parameters.get(camel(name))!.dataSync());
      const largest = Math.max(...values.map(Math.abs));
      const limit = bound ?? within;
      if (limit !== undefined) expect(largest, name).toBeLessThanOrEqual(limit * (1 + 1e-6));
      if (bound !== undefined && values.length > 500) expect(largest, name).toBeGreaterThan(0.95 * bound);
      if (within !== undefined) expect(largest, name).toBeGreaterThan(0.5 * within);
      if (std !== undefined) {
        const found = Math.hypot(...values) / Math.sqrt(values.length);
        expect(found / std, name).toBeGreaterThan(0.5);
        expect(found / std, name).toBeLessThan(1.6);
      }
      if (value !== undefined) expect(new Set(values), name).toEqual(new Set([value]));
    }
  });
});
