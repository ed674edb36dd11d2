import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arange, cat, manualSeed, nn, randint, randn, stack, type Tensor, tensor, where } from "thaw";
import { exportOnnx } from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";
import { isInstalled, run } from "./runtime.ts";

// Functions as files, run by ONNX Runtime with inputs of other sizes than those that they were recorded with.

const folder = mkdtempSync(join(tmpdir(), "thaw-onnx-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

manualSeed(3);
const linear = new nn.Linear(6, 5);
const norm = new nn.LayerNorm(6);
nn.init.normal_(norm.weight!);
nn.init.normal_(norm.bias!);
const unbiased = new nn.LayerNorm(6, { bias: false });
const table = new nn.Embedding(11, 4, { paddingIdx: 0 });
const half = new nn.Linear(6, 2).to("bf16");
const lookup = randn([7, 6]);

const { scaledDotProductAttention } = nn;

type Fn = (x: Tensor, i: Tensor) => Tensor;

/** Functions of x, of f32 [batch, length, 6], and of whole numbers i, [batch, length], of 0 to 10. */
const functions: Record<string, Fn> = {
  linear: (x) => linear.forward(x),
  "a weight of bf16": (x) => x.reshape([-1, 6]).matmul(half.weight.to("f32").transpose(0, 1)),
  layerNorm: (x) => norm.forward(x),
  "norms, of which one has no bias": (x) => {
    const over = norm.forward(x);
    return unbiased.forward(x.add(over)).add(over);
  },
  "what is nearly a norm": (x) => {
    const y = x.reshape([-1, 6]).narrow(0, 0, 1).expand([6, 6]).add(x.sum(0).sum(0).unsqueeze(-1));
    const standard = (divided: number) => {
      const centred = y.sub(y.sum(-1, { keepdim: true }).div(divided));
      return centred.mul(centred.square().mean(-1, { keepdim: true }).add(1e-5).sqrt().reciprocal());
    };
    // A weight for each row, and a sum that is divided by another number than there are.
    const rows = standard(6).mul(norm.weight!.unsqueeze(-1)).add(norm.bias!.unsqueeze(-1));
    return rows.add(standard(5).mul(norm.weight!).add(norm.bias!));
  },
  "gelu, exact and with tanh": (x) => x.gelu().add(x.gelu({ approximate: "tanh" })),
  embedding: (_, i) => table.forward(i),
  softmax: (x) => x.softmax(-1),
  "softmax over a named size": (x) => x.softmax(1),
  "mean over a named size": (x) => x.mean(1),
  "a size as a number": (x) => x.mul(x.shape[1]! * 2).div(tensor(x.shape[0]!)),
  "a masked mean": (x, i) => {
    const mask = i.ne(0).to("f32").unsqueeze(-1);
    return x
      .mul(mask)
      .sum(1)
      .div(mask.sum(1).clamp({ min: 1e-9 }));
  },
  "unary functions": (x) =>
    x.exp().add(x.abs().log1p()).add(x.sin()).add(x.cos()).add(x.floor()).add(x.sign()).add(x.sigmoid()),
  remainders: (x, i) => x.remainder(0.7).add(i.remainder(3).unsqueeze(-1).to("f32")),
  comparisons: (x, i) => where(x.gt(0).logicalAnd(i.lt(5).unsqueeze(-1)), x, x.neg()),
  "largest and where": (x) => x.amax(-1).add(x.argmax(-1).to("f32")),
  "any and all": (x) => x.gt(1).any(-1).to("f32").add(x.gt(-1).all(-1).to("f32")),
  "products of matrices": (x) => x.matmul(x.transpose(1, 2)),
  "a product with what is broadcast": (x) => x.unsqueeze(1).matmul(lookup.transpose(0, 1)),
  "heads and back": (x) =>
    x.reshape([x.shape[0]!, x.shape[1]!, 2, 3]).transpose(1, 2).reshape([x.shape[0]!, 2, -1]),
  slices: (x) =>
    x
      .slice(1, 1)
      .mul(2)
      .add(x.narrow(1, 0, x.shape[1]! - 1)),
  "the first of each": (x) => x.select(1, 0),
  "every other, backwards": (x) => x.flip(2).slice(2, 0, 6, 2),
  concatenation: (x) => cat([x, x.mul(2)], 1),
  stacks: (x) => stack([x, x.neg()], 0),
  padding: (x) => x.pad([1, 2, 0, 1], { value: 3 }),
  positions: (x) => x.add(arange(x.shape[1]!, { dtype: "f32" }).unsqueeze(-1)),
  "positions in steps": (x) => x.add(arange(1, 1 + 2 * x.shape[1]!, 2, { dtype: "f32" }).unsqueeze(-1)),
  "a table of the largest size": (x) => {
    const at = (i: number) => (i * i) % 7;
    const table = Array.from({ length: x.shape[1]! }, (_, r) =>
      Array.from({ length: x.shape[1]! }, (_, c) => at(r - c)),
    );
    return tensor(table).matmul(x);
  },
  "sums so far": (_, i) => i.ne(0).to("i32").cumsum(1).to("f32"),
  "elements at indices": (x, i) => x.gather(2, i.remainder(6).unsqueeze(-1)),
  "a power and a root": (x) => x.square().add(1).sqrt().pow(1.5),
  attention: (x) => {
    const q = x.reshape([x.shape[0]!, x.shape[1]!, 2, 3]).transpose(1, 2);
    return scaledDotProductAttention(q, q.mul(0.5), q.add(1));
  },
  "attention with a mask of keys": (x, i) => {
    const q = x.reshape([x.shape[0]!, x.shape[1]!, 2, 3]).transpose(1, 2);
    const keys = i.ne(1).unsqueeze(1).unsqueeze(1);
    return scaledDotProductAttention(q, q, q, { attnMask: keys }).transpose(1, 2).reshape(x.shape);
  },
  "causal attention": (x) => scaledDotProductAttention(x, x, x, { isCausal: true }),
  "attention of groups, with numbers added": (x) => {
    const heads = (from: Tensor) => from.reshape([x.shape[0]!, x.shape[1]!, -1, 3]).transpose(1, 2);
    const bias = arange(x.shape[1]!, { dtype: "f32" }).mul(0.1);
    const q = heads(cat([x, x.mul(0.3)], 2));
    return scaledDotProductAttention(q, heads(x), heads(x.neg()), { enableGqa: true, attnMask: bias });
  },
};

const spec = {
  x: { dtype: "f32", dims: ["batch", "length", 6] },
  i: { dtype: "i32", dims: ["batch", "length"] },
} as const;

describe.skipIf(!isInstalled)("a file gives what the function gives", () => {
  test.each(Object.keys(functions))("%s", async (name) => {
    const f = functions[name]!;
    const path = join(folder, `${name.replaceAll(/\W/g, "-")}.onnx`);
    exportOnnx(path, ({ x, i }) => [f(x!, i!)], { inputs: spec, outputs: ["y"], largest: { length: 9 } });
    for (const [batch, length] of [
      [1, 1],
      [2, 3],
      [5, 4],
      [3, 9],
    ] as const) {
      if (name === "slices" && length === 1) continue;
      const [x, i] = [randn([batch, length, 6]), randint(0, 11, [batch, length])];
      const wanted = f(x, i).to("f32");
      const { y } = await run(path, { x, i });
      expect(y!.dims).toEqual(wanted.shape);
      const got = tensor(Array.from(y!.data, Number), { dtype: "f32" }).reshape(wanted.shape);
      expect(await got.sub(wanted).abs().amax().item(), `${name} ${batch} ${length}`).toBeLessThan(2e-5);
    }
  });
});
