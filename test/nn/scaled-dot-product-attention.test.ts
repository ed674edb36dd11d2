import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { fromArray, gradient, manualSeed, ones, type Tensor, tensor, where, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { bytesOf } from "../../src/base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../src/base/errors.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { sampled } from "../breadth.ts";
import { expectClose } from "../oracle/close.ts";
import { type Fixture, readFixture, valuesOf } from "../oracle/fixture.ts";

const { scaledDotProductAttention } = nn;

interface Case {
  name: string;
  args: { tensor: Fixture }[];
  options: Record<string, unknown>;
  output: Fixture;
  cotangent: Fixture;
  grads: (Fixture | null)[];
  second?: { vectors: Fixture[]; grads: Fixture[] };
}

const { cases } = readFixture<{ cases: Case[] }>("attention.json.gz");

function tensorOf(fixture: Fixture, requiresGrad = false): Tensor {
  const { data, shape, dtype } = valuesOf(fixture);
  return fromArray(data, shape, { dtype, requiresGrad });
}

/** The inputs of a case, and what it gives of them. */
function attend(c: Case): { leaves: Tensor[]; output: Tensor } {
  const leaves = c.args.map(({ tensor: fixture }) => tensorOf(fixture, true));
  const options = Object.fromEntries(
    Object.entries(c.options).map(([name, value]) => [
      name,
      typeof value === "object" ? tensorOf((value as { tensor: Fixture }).tensor) : value,
    ]),
  );
  const [query, key, value, bias] = leaves as [Tensor, Tensor, Tensor, Tensor?];
  const output = scaledDotProductAttention(
    query,
    key,
    value,
    bias ? { ...options, attnMask: bias } : options,
  );
  return { leaves, output };
}

describe("as PyTorch's", () => {
  // On the native backend nearly every case needs kernels that nothing else does.
  const some = currentBackend().name === "native" ? sampled(cases, 4) : cases;
  test.each(some.map((c) => [c.name, c] as const))("%s", (_, c) => {
    const { leaves, output } = attend(c);
    expectClose(output, c.output, "output");
    // Of scores of a thousand the logarithm of their sum, which weights are made anew of, has so many digits.
    const digits = c.name.endsWith("large scores") ? 20 : 1;
    const first = gradient(output, leaves, { gradient: tensorOf(c.cotangent) });
    for (const [i, g] of c.grads.entries()) expectClose(first[i]!, g!, `gradient ${i}`, 3 * digits);
    if (c.second === undefined) return;
    const { vectors, grads } = c.second;
    const again = attend(c);
    const tracked = gradient(again.output, again.leaves, {
      gradient: tensorOf(c.cotangent),
      createGraph: true,
    });
    const terms = tracked.map((g, i) => g!.mul(tensorOf(vectors[i]!)).sum());
    const second = gradient(
      terms.reduce((a, b) => a.add(b)),
      again.leaves,
    );
    for (const [i, g] of grads.entries()) expectClose(second[i]!, g, `second gradient ${i}`, 4);
  });
});

/** Numbers from -1 to 1 that look like nothing in particular. */
function numbers(...shape: number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return fromArray(
    Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898 + shape.length) * 0.9),
    shape,
  );
}

describe("a row without keys", () => {
  test("is zeros, and passes no gradient on", () => {
    const [q, k, v] = [numbers(2, 3), numbers(4, 3), numbers(4, 3)].map((x) => x.requiresGrad_());
    const attnMask = tensor([[false], [true]]);
    const output = scaledDotProductAttention(q!, k!, v!, { attnMask });
    expect(Array.from(output.dataSync().subarray(0, 3))).toEqual([0, 0, 0]);
    output.sum().backward();
    expect(Array.from(q!.grad!.dataSync().subarray(0, 3))).toEqual([0, 0, 0]);
    for (const x of [q!, k!, v!]) expect(x.grad!.dataSync().every(Number.isFinite)).toBe(true);
  });
});

describe("NaN", () => {
  test("in a query reaches that query alone", () => {
    const q = numbers(3, 4);
    const spoilt = where(tensor([[false], [true], [false]]), Number.NaN, q);
    const output = scaledDotProductAttention(spoilt, numbers(5, 4), numbers(5, 4)).dataSync();
    expect(Array.from(output, Number.isNaN)).toEqual(Array.from({ length: 12 }, (_, i) => i >= 4 && i < 8));
  });
  test("in a key that takes part reaches every query", () => {
    const k = where(tensor([[false], [true]]), Number.NaN, numbers(2, 4));
    const output = scaledDotProductAttention(numbers(3, 4), k, numbers(2, 4)).dataSync();
    expect(output.every(Number.isNaN)).toBe(true);
  });
});

describe("dropout", () => {
  test("multiplies weights, and keeps their mean", () => {
    manualSeed(3);
    // All weights are 1/64, so that what is left of them can be counted.
    const output = scaledDotProductAttention(zeros([64, 4]), zeros([64, 4]), ones([64, 1]), {
      dropoutP: 0.25,
    });
    const counts = Array.from(output.dataSync(), (x) => (x * 64) / (4 / 3));
    for (const count of counts) expect(count).toBeCloseTo(Math.round(count), 3);
    expect(counts.reduce((a, b) => a + b, 0) / 64 ** 2).toBeCloseTo(0.75, 1);
  });
  test("draws the same again from one seed, and keeps its bits for the gradient", () => {
    const [q, k] = [numbers(2, 5, 4), numbers(2, 6, 4)];
    const v = numbers(2, 6, 3).requiresGrad_();
    const run = (value: Tensor) => {
      manualSeed(11);
      return scaledDotProductAttention(q, k, value, { dropoutP: 0.5 });
    };
    const output = run(v);
    output
      .mul(numbers(2, 5, 3))
      .sum()
      .backward();
    // It is linear in its values: the gradient is that of differences.
    const step = zeros([2, 6, 3]).add(where(numbers(2, 6, 3).gt(0), 1, 0));
    const moved = run(v.detach().add(step))
      .sub(output.detach())
      .mul(numbers(2, 5, 3))
      .sum();
    expect(moved.itemSync()).toBeCloseTo(v.grad!.mul(step).sum().itemSync() as number, 4);
    expect(run(v).dataSync()).toEqual(output.dataSync());
  });
  test("draws nothing where there is nothing to drop", () => {
    const x = numbers(2, 4);
    expect(scaledDotProductAttention(x, x, x, { dropoutP: 0 }).dataSync()).toEqual(
      scaledDotProductAttention(x, x, x).dataSync(),
    );
  });
});

describe("storage dtypes", () => {
  test("are computed in f32, as products are", () => {
    const [q, k, v] = [numbers(3, 4), numbers(5, 4), numbers(5, 4)].map((x) => x.to("bf16"));
    const output = scaledDotProductAttention(q!, k!, v!);
    expect(output.dtype).toBe("f32");
    const wide = scaledDotProductAttention(q!.to("f32"), k!.to("f32"), v!.to("f32"));
    expect(output.dataSync()).toEqual(wide.dataSync());
  });
});

describe("refuses", () => {
  const [q, k, v] = [zeros([2, 3, 4]), zeros([2, 5, 4]), zeros([2, 5, 6])];
  const refused = (run: () => unknown, error: new (message: string) => Error, message: RegExp) => {
    expect(run).toThrow(error);
    expect(run).toThrow(message);
  };
  test.each([
    ["vectors", zeros([4]), k, v, /two dimensions/],
    ["sizes that differ", zeros([2, 3, 5]), k, v, /\[2, 3, 5\].*one size/],
    ["values that are more than keys", q, k, zeros([2, 4, 6]), /one value for each key/],
    ["batches that do not broadcast", zeros([3, 3, 4]), k, v, /do not broadcast.*enableGqa: true/],
  ] as const)("%s", (_, query, key, value, message) =>
    refused(() => scaledDotProductAttention(query, key, value), ShapeError, message),
  );
  test("masks that do not broadcast to the scores, or would make them more", () => {
    for (const shape of [[4, 5], [3, 4], [5, 3], [3, 2, 3, 5], [1, 2, 3, 5], [0]])
      refused(
        () => scaledDotProductAttention(q, k, v, { attnMask: ones(shape, { dtype: "bool" }) }),
        ShapeError,
        /attnMask.*\[2, 3, 5\]/,
      );
  });
  test("masks of other dtypes", () => {
    for (const dtype of ["i32", "f64", "f16"] as const)
      refused(
        () => scaledDotProductAttention(q, k, v, { attnMask: zeros([3, 5], { dtype }) }),
        DTypeError,
        /attnMask/,
      );
  });
  test("a mask beside isCausal", () =>
    refused(
      () => scaledDotProductAttention(q, k, v, { attnMask: ones([3, 5], { dtype: "bool" }), isCausal: true }),
      ArgumentError,
      /attnMask beside isCausal/,
    ));
  test("heads that do not divide, and groups without heads", () => {
    const heads = (count: number) => zeros([count, 3, 4]);
    for (const [queries, keys] of [
      [6, 4],
      [2, 4],
      [6, 0],
    ] as const)
      refused(
        () => scaledDotProductAttention(heads(queries), heads(keys), heads(keys), { enableGqa: true }),
        ShapeError,
        /do not divide/,
      );
    const flat = zeros([3, 4]);
    refused(() => scaledDotProductAttention(flat, flat, flat, { enableGqa: true }), ShapeError, /heads/);
  });
  test("integers, and dtypes that differ", () => {
    const whole = zeros([3, 4], { dtype: "i32" });
    refused(() => scaledDotProductAttention(whole, whole, whole), DTypeError, /floating/);
    refused(() => scaledDotProductAttention(q, k.to("f64"), v), DTypeError, /f64/);
  });
  test("what is no probability", () => {
    for (const dropoutP of [-0.1, 1.5, Number.NaN])
      refused(() => scaledDotProductAttention(q, k, v, { dropoutP }), ArgumentError, /dropoutP/);
  });
});

/** Attention with projections of its own, heads of 4. */
class Attend extends nn.Module {
  query = new nn.Linear(8, 8);
  key = new nn.Linear(8, 8);
  value = new nn.Linear(8, 8);

  forward(x: Tensor): Tensor {
    const [q, k, v] = [this.query, this.key, this.value].map((layer) =>
      layer.forward(x).reshape([2, 5, 2, 4]).transpose(1, 2),
    );
    return scaledDotProductAttention(q!, k!, v!, { isCausal: true }).transpose(1, 2).reshape([2, 5, 8]);
  }
}

describe("projections that are frozen", () => {
  test("do not move by a bit, and their gradients are not computed", async () => {
    const net = new Attend();
    const step = trainStep(new optim.AdamW(net, { lr: 0.1 }), {
      loss: (_: string, x: Tensor) => net.forward(x).square().mean(),
      trains: (layer: string) => (layer === "all" ? ["**"] : [`${layer}.**`]),
    });
    const bits = () =>
      new Map([...net.stateDict()].map(([path, values]) => [path, hashBytes(bytesOf(values.dataSync()))]));
    const flops = new Map<string, number>();
    for (const layer of ["all", "query", "key", "value"]) {
      const before = bits();
      await step(layer, numbers(2, 5, 8));
      for (const [path, hash] of bits())
        expect(hash === before.get(path), `${path} in a step of ${layer}`).toBe(
          layer !== "all" && !path.startsWith(layer),
        );
      const kernels = step.plan!.explain().kernels.filter(({ kind }) => kind === "attentionGradient");
      expect(kernels.length).toBe(1);
      flops.set(layer, kernels[0]!.flops);
    }
    expect(flops.get("value")!).toBeLessThan(flops.get("query")!);
    expect(flops.get("query")!).toBeLessThan(flops.get("all")!);
  });

  test("but for the rows of a head do not move, and the gradients of the other heads are not computed", async () => {
    const trained = { all: [0, 8], head: [4, 8], rows: [5, 7] } as const;
    manualSeed(3);
    const net = new Attend();
    const start = net.stateDict();
    const values = () =>
      ["query", "key", "value"].map((path) => [...net.stateDict().get(`${path}.weight`)!.dataSync()]);
    const step = trainStep(new optim.SGD(net, { lr: 1 }), {
      loss: (_: keyof typeof trained, x: Tensor) => net.forward(x).square().mean(),
      trains: (name) =>
        ["query", "key", "value"].map((path) => `${path}.weight[${trained[name][0]}:${trained[name][1]}]`),
    });
    const before = values();
    const flops = new Map<string, number>();
    const after = new Map<string, number[][]>();
    for (const name of ["all", "head", "rows"] as const) {
      net.loadStateDict(start);
      await step(name, numbers(2, 5, 8));
      after.set(name, values());
      const kernels = step.plan!.explain().kernels.filter(({ kind }) => kind === "attentionGradient");
      expect(kernels.length).toBe(1);
      flops.set(name, kernels[0]!.flops);
    }
    for (const name of ["head", "rows"] as const) {
      const [first, end] = trained[name];
      for (const [i, weight] of after.get(name)!.entries())
        for (const [at, x] of weight.entries()) {
          const row = Math.floor(at / 8);
          if (row < first || row >= end) expect(x).toBe(before[i]![at]);
          else expect(x).toBeCloseTo(after.get("all")![i]![at]!, 5);
        }
      expect(flops.get(name)).toBe(flops.get("all")! / 2);
    }
  });

  test("are of the one gradient that the layers below need whole", async () => {
    const net = new (class extends nn.Module {
      below = new nn.Linear(8, 8);
      attend = new Attend();
    })();
    const flopsOf = async (...trains: string[]) => {
      const step = trainStep(new optim.SGD(net, { lr: 0.1 }), {
        loss: (x: Tensor) => net.attend.forward(net.below.forward(x)).square().mean(),
        trains: () => trains as "**"[],
      });
      await step(numbers(2, 5, 8));
      return step
        .plan!.explain()
        .kernels.map(({ kind, flops }) => (kind === "attentionGradient" ? flops : 0));
    };
    const sum = (flops: readonly number[]) => flops.reduce((a, b) => a + b, 0);
    const below = sum(await flopsOf("below.**"));
    expect(sum(await flopsOf("below.**", "attend.query.weight[:4]"))).toBe(below);
    expect(sum(await flopsOf("below.weight[2:]", "attend.query.weight[:4]"))).toBe(below);
  });
});

test("a value that has been read has the gradient of the bits that it was dropped with", () => {
  manualSeed(4);
  const v = numbers(6, 3).requiresGrad_();
  const output = scaledDotProductAttention(numbers(5, 4), numbers(6, 4), v, { dropoutP: 0.5 });
  const read = output.sum().itemSync() as number;
  output.sum().backward();
  expect(v.grad!.mul(v.detach()).sum().itemSync() as number).toBeCloseTo(read, 4);
});
