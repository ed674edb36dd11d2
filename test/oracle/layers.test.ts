import * as nn from "thaw/nn";
import { fromArray, gradient, manualSeed, type Tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { sampled } from "../breadth.ts";
import { expectClose } from "./close.ts";
import { type Fixture, readFixture, valuesOf } from "./fixture.ts";

/** Losses, layers and initialisers against PyTorch: values within 2e-6 + 2e-5 · |expected|, gradients within twice that. */

type Options = Record<string, unknown>;

interface Case {
  name: string;
  op: string;
  args: { tensor: Fixture }[];
  options: Options;
  output: Fixture;
  cotangent: Fixture | null;
  grads: (Fixture | null)[] | null;
  second?: { vectors: (Fixture | null)[]; grads: (Fixture | null)[] };
}

interface Fixtures {
  losses: Case[];
  modules: Case[];
  gains: { nonlinearity: nn.init.Nonlinearity; param: number | null; gain: number }[];
  initialisers: { init: string; shape: number[]; options: Options; bound?: number; std?: number }[];
  defaults: { module: string; options: Options; weight: Drawn; bias?: Drawn }[];
}

/** What a layer's weights are drawn from. */
interface Drawn {
  bound?: number;
  std?: number;
  value?: number;
  zeroRow?: number;
}

const fixtures = readFixture<Fixtures>("layers.json.gz");

function tensorOf(fixture: Fixture, requiresGrad = false): Tensor {
  const { data, shape, dtype } = valuesOf(fixture);
  return fromArray(data, shape, { dtype, requiresGrad: requiresGrad && dtype === "f32" });
}

/** For a target of 0 PyTorch's divergence has the gradient 0 / 0; here that term is 0, as it is in the loss. */
function atZeroTargets(expected: Fixture, actual: Tensor): Fixture {
  const values = actual.dataSync();
  return {
    ...expected,
    data: expected.data.map((v, i) =>
      Number.isNaN(Number(v)) && Number.isFinite(values[i]) ? Number(values[i]) : v,
    ),
  };
}

/** Gradients of `of` by those leaves that take one, at the leaves' places. */
function gradients(
  of: Tensor,
  leaves: Tensor[],
  options: { gradient?: Tensor; createGraph?: boolean },
): (Tensor | null)[] {
  const wanted = leaves.filter((leaf) => leaf.requiresGrad);
  const found = gradient(of, wanted, options);
  return leaves.map((leaf) => found[wanted.indexOf(leaf)] ?? null);
}

function expectCase(c: Case, output: Tensor, leaves: Tensor[]): void {
  expectClose(output, c.output, "output");
  if (c.grads === null || c.cotangent === null) return;
  const first = gradients(output, leaves, {
    gradient: tensorOf(c.cotangent),
    createGraph: c.second !== undefined,
  });
  expectGradients(first, c.grads, `gradient of ${c.op}`);
  if (c.second === undefined) return;
  const { vectors } = c.second;
  const terms = first.flatMap((g, i) => (g ? [g.mul(tensorOf(vectors[i]!)).sum()] : []));
  expectGradients(
    gradients(
      terms.reduce((a, b) => a.add(b)),
      leaves,
      {},
    ),
    c.second.grads,
    `second gradient of ${c.op}`,
  );
}

function expectGradients(actual: (Tensor | null)[], expected: (Fixture | null)[], what: string): void {
  expect(actual.map((g) => g !== null)).toEqual(expected.map((g) => g !== null));
  for (const [i, g] of expected.entries()) {
    if (g === null) continue;
    const diverges = what === "gradient of klDivLoss" && i === 1;
    expectClose(actual[i]!, diverges ? atZeroTargets(g, actual[i]!) : g, `${what} ${i}`, 2);
  }
}

/** A loss: of an input and a target, of several inputs and a target, or of more still; then its options. */
// biome-ignore lint/suspicious/noExplicitAny: losses take one to three tensors, and options of their own.
type Loss = (...args: any[]) => Tensor;
type LossClass = new (options: object) => nn.Module & { forward: Loss };

/** Each loss as a function and as a module. */
const losses: Record<string, [Loss, LossClass]> = {
  crossEntropy: [nn.crossEntropy, nn.CrossEntropyLoss],
  nllLoss: [nn.nllLoss, nn.NLLLoss],
  klDivLoss: [nn.klDiv, nn.KLDivLoss],
  mseLoss: [nn.mseLoss, nn.MSELoss],
  l1Loss: [nn.l1Loss, nn.L1Loss],
  smoothL1Loss: [nn.smoothL1Loss, nn.SmoothL1Loss],
  huberLoss: [nn.huberLoss, nn.HuberLoss],
  bceLoss: [nn.binaryCrossEntropy, nn.BCELoss],
  bceWithLogitsLoss: [nn.binaryCrossEntropyWithLogits, nn.BCEWithLogitsLoss],
  softMarginLoss: [nn.softMarginLoss, nn.SoftMarginLoss],
  hingeEmbeddingLoss: [nn.hingeEmbeddingLoss, nn.HingeEmbeddingLoss],
  marginRankingLoss: [nn.marginRankingLoss, nn.MarginRankingLoss],
  cosineEmbeddingLoss: [nn.cosineEmbeddingLoss, nn.CosineEmbeddingLoss],
  multiMarginLoss: [nn.multiMarginLoss, nn.MultiMarginLoss],
  multilabelMarginLoss: [nn.multilabelMarginLoss, nn.MultiLabelMarginLoss],
  multilabelSoftMarginLoss: [nn.multilabelSoftMarginLoss, nn.MultiLabelSoftMarginLoss],
  tripletMarginLoss: [nn.tripletMarginLoss, nn.TripletMarginLoss],
  tripletMarginWithDistanceLoss: [nn.tripletMarginWithDistanceLoss, nn.TripletMarginWithDistanceLoss],
  poissonNllLoss: [nn.poissonNllLoss, nn.PoissonNLLLoss],
  gaussianNllLoss: [nn.gaussianNllLoss, nn.GaussianNLLLoss],
};

const isTensorOption = (value: unknown): value is { tensor: Fixture } =>
  typeof value === "object" && value !== null && "tensor" in value;

const optionsOf = (options: Options): Options =>
  Object.fromEntries(
    Object.entries(options).map(([k, v]) => [k, isTensorOption(v) ? tensorOf(v.tensor) : v]),
  );

// On the native backend nearly every case needs kernels that nothing else does.
const some = <T>(cases: readonly T[]): readonly T[] =>
  currentBackend().name === "native" ? sampled(cases, 4) : cases;

describe("losses", () => {
  test.each(some(fixtures.losses).map((c) => [c.name, c] as const))("%s", (_, c) => {
    const [fn, LossModule] = losses[c.op]!;
    const options = optionsOf(c.options);
    // Where PyTorch has no gradient for a target, none is asked for.
    const args = c.args.map(({ tensor }, i) => tensorOf(tensor, c.grads !== null && c.grads[i] !== null));
    expectCase(c, fn(...args, options), args);
    expectClose(new LossModule(options).forward(...args), c.output, "module");
  });
});

/** Options of constructors that are positional, in order. */
const positional: Record<string, readonly string[]> = {
  Linear: ["inFeatures", "outFeatures"],
  Bilinear: ["in1Features", "in2Features", "outFeatures"],
  Embedding: ["numEmbeddings", "embeddingDim"],
  LayerNorm: ["normalizedShape"],
  RMSNorm: ["normalizedShape"],
  GroupNorm: ["numGroups", "numChannels"],
  Dropout: ["p"],
  Threshold: ["threshold", "value"],
  Unflatten: ["dim", "unflattenedSize"],
  ChannelShuffle: ["groups"],
  LocalResponseNorm: ["size"],
};

type AnyLayer = nn.Module & { forward(...inputs: Tensor[]): Tensor };

/** A layer from the options of its constructor. */
function layerOf(kind: string, { lambd, ...options }: Options): AnyLayer {
  const kinds = nn as unknown as Record<string, new (...args: unknown[]) => AnyLayer>;
  const first = positional[kind] ?? [];
  const rest = Object.entries(options).filter(([name]) => !first.includes(name));
  // `lambda` is a keyword of Python.
  if (lambd !== undefined) rest.push(["lambda", lambd]);
  return new kinds[kind]!(...first.map((name) => options[name]), Object.fromEntries(rest));
}

describe("layers", () => {
  test.each(some(fixtures.modules).map((c) => [c.name, c] as const))("%s", (_, c) => {
    const layer = layerOf(c.op.replace("nn.", ""), c.options);
    const parameters = layer.namedParameters();
    const count = c.args.length - parameters.length;
    const args = c.args.map(({ tensor }, i) => tensorOf(tensor, i < count && c.grads !== null));
    const [inputs, weights] = [args.slice(0, count), args.slice(count)];
    layer.loadStateDict(Object.fromEntries(parameters.map(([path], i) => [path, weights[i]!])));
    expectCase(c, layer.forward(...inputs), [...inputs, ...layer.parameters()]);
  });
});

/** Statistics of what is in a tensor. */
function drawn(tensor: Tensor): { largest: number; std: number; values: number[] } {
  const values = Array.from(tensor.dataSync());
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  return { largest: values.reduce((a, b) => Math.max(a, Math.abs(b)), 0), std, values };
}

function expectDrawn(tensor: Tensor, { bound, std, value }: Drawn): void {
  const found = drawn(tensor);
  const many = found.values.length > 1000;
  if (bound !== undefined) {
    expect(found.largest).toBeLessThanOrEqual(bound * (1 + 1e-6));
    if (many) expect(found.largest).toBeGreaterThan(0.99 * bound);
    if (many) expect(found.std / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  }
  if (std !== undefined && many) {
    expect(found.std / std).toBeCloseTo(1, 1);
    expect(found.largest).toBeGreaterThan(2.5 * std);
  }
  // Few numbers say little: but hardly ever is one beyond six standard deviations.
  if (std !== undefined) expect(found.largest).toBeLessThan(6 * std);
  if (value !== undefined) expect(new Set(found.values)).toEqual(new Set([value]));
}

describe("initialisers", () => {
  const draw = nn.init as unknown as Record<string, (target: Tensor, options: Options) => Tensor>;
  test.each(
    fixtures.initialisers.map((c) => [`${c.init} [${c.shape}] ${JSON.stringify(c.options)}`, c] as const),
  )("%s", (_, c) => {
    manualSeed(7);
    expectDrawn(draw[`${c.init}_`]!(zeros(c.shape), c.options), c);
  });
  test.each(fixtures.gains)("gain of $nonlinearity $param", ({ nonlinearity, param, gain }) =>
    expect(nn.init.calculateGain(nonlinearity, param)).toBeCloseTo(gain, 8),
  );
});

describe("what a new layer holds", () => {
  test.each(fixtures.defaults.map((c) => [`${c.module} ${JSON.stringify(c.options)}`, c] as const))(
    "%s",
    (_, c) => {
      manualSeed(3);
      const layer = layerOf(c.module, c.options) as unknown as { weight: Tensor; bias?: Tensor };
      const { zeroRow } = c.weight;
      if (zeroRow !== undefined) {
        expect(new Set(layer.weight.select(0, zeroRow).dataSync())).toEqual(new Set([0]));
        expect(layer.weight.eq(0).sum().itemSync()).toBe(layer.weight.shape[1]);
      }
      expectDrawn(layer.weight, c.weight);
      if (c.bias) expectDrawn(layer.bias!, c.bias);
    },
  );
});
