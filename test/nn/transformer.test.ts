import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { capture, manualSeed, ones, randn, type Tensor, tensor, zeros } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../src/base/errors.ts";

const bits = (t: Tensor): string => Array.from(new Uint32Array((t.dataSync() as Float32Array).buffer)).join();
const close = (t: Tensor) => Array.from(t.dataSync(), (v) => expect.closeTo(v, 5));
const values = (t: Tensor): number[] => Array.from(t.dataSync());

describe("MultiheadAttention", () => {
  test("gives the same with weights as without, whichever way it is laid out", () => {
    const layer = new nn.MultiheadAttention(6, 3);
    const x = randn([4, 2, 6]);
    const [y, weights] = layer.forward(x, x, x);
    const [lean, none] = layer.forward(x, x, x, { needWeights: false });
    expect(none).toBeNull();
    expect(weights!.shape).toEqual([2, 4, 4]);
    expect(values(weights!.sum(-1))).toEqual(close(ones([8])));
    expect(values(lean)).toEqual(close(y));
    const first = new nn.MultiheadAttention(6, 3, { batchFirst: true });
    first.loadStateDict(layer.stateDict());
    const z = x.transpose(0, 1);
    expect(values(first.forward(z, z, z)[0].transpose(0, 1))).toEqual(close(y));
    // Tensors that are equal and not the same are projected apart.
    expect(values(layer.forward(x, x.clone(), x.clone())[0])).toEqual(close(y));
  });

  test("drops weights in training only", () => {
    manualSeed(3);
    const layer = new nn.MultiheadAttention(4, 2, { dropout: 0.5 });
    const x = randn([16, 1, 4]);
    const [, weights] = layer.forward(x, x, x, { averageAttnWeights: false });
    const dropped = values(weights!).filter((w) => w === 0).length;
    expect(dropped / weights!.numel).toBeGreaterThan(0.35);
    expect(dropped / weights!.numel).toBeLessThan(0.65);
    const lean = () => layer.forward(x, x, x, { needWeights: false })[0];
    expect(bits(lean())).not.toBe(bits(lean()));
    layer.eval();
    expect(bits(lean())).toBe(bits(lean()));
    expect(values(layer.forward(x, x, x)[1]!).every((w) => w > 0)).toBe(true);
  });

  test("asks of a causal mask nothing where it is said to be causal", () => {
    const layer = new nn.MultiheadAttention(4, 2);
    const x = randn([5, 2, 4]);
    const attnMask = nn.Transformer.generateSquareSubsequentMask(5);
    expect(attnMask.toArraySync()).toEqual(
      Array.from({ length: 5 }, (_, i) => Array.from({ length: 5 }, (_, j) => (j > i ? -Infinity : 0))),
    );
    const [masked] = layer.forward(x, x, x, { attnMask, needWeights: false });
    const [said] = layer.forward(x, x, x, { attnMask, isCausal: true, needWeights: false });
    expect(values(said)).toEqual(close(masked));
    // What comes later has no part in what comes before.
    const [shorter] = layer.forward(
      ...([x, x, x].map((t) => t.narrow(0, 0, 3)) as [Tensor, Tensor, Tensor]),
      {
        attnMask: attnMask.narrow(0, 0, 3).narrow(1, 0, 3),
        isCausal: true,
        needWeights: false,
      },
    );
    expect(values(shorter)).toEqual(close(said.narrow(0, 0, 3)));
  });

  test("refuses sizes that cannot be", () => {
    expect(() => new nn.MultiheadAttention(8, 3)).toThrow(/3 heads do not divide embedDim 8/);
    expect(() => new nn.MultiheadAttention(0, 1)).toThrow(/embedDim is 0/);
    expect(() => new nn.MultiheadAttention(4, 0)).toThrow(ArgumentError);
    expect(() => new nn.MultiheadAttention(4, 2, { kdim: -1 })).toThrow(/kdim is -1/);
    expect(() => new nn.MultiheadAttention(4, 2, { dropout: 2 })).toThrow(/dropout is 2/);
    expect(() => new nn.MultiheadAttention(4, 2, { batch_first: true } as object)).toThrow(/batchFirst/);
  });

  test("names inputs and masks that do not fit", () => {
    const layer = new nn.MultiheadAttention(4, 2);
    const [q, k] = [zeros([3, 2, 4]), zeros([5, 2, 4])];
    const call = (options: object, query = q, key = k, value = key) =>
      layer.forward(query, key, value, options);
    expect(() => call({}, zeros([4]))).toThrow(/\[length, batch, size\], or all \[length, size\]/);
    expect(() => call({}, zeros([3, 4]))).toThrow(ShapeError);
    expect(() => call({}, zeros([3, 2, 5]))).toThrow(/last dimension of the query must be 4/);
    expect(() => call({}, zeros([3, 3, 4]))).toThrow(/the batch, dimension 1 without batchFirst/);
    expect(() => call({}, q, k, zeros([4, 2, 4]))).toThrow(/one value for each key/);
    expect(() => call({}, q.to("f64"))).toThrow(DTypeError);
    expect(() => call({ attnMask: zeros([3, 4]) })).toThrow(
      /attnMask has shape \[3, 4\].*\[3, 5\].*\[4, 3, 5\]/,
    );
    expect(() => call({ attnMask: zeros([2, 3, 5]) })).toThrow(ShapeError);
    expect(() => call({ keyPaddingMask: zeros([5, 2]) })).toThrow(
      /keyPaddingMask has shape \[5, 2\].*\[2, 5\]/,
    );
    expect(() => call({ keyPaddingMask: zeros([5]) })).toThrow(ShapeError);
    expect(() => call({ attnMask: zeros([3, 5], { dtype: "i32" }) })).toThrow(/attnMask is of i32/);
    expect(() => call({ isCausal: true })).toThrow(/generateSquareSubsequentMask/);
    expect(() => call({ key_padding_mask: zeros([2, 5]) })).toThrow(/keyPaddingMask/);
    expect(() => call({ attnMask: [[0]] })).toThrow(ArgumentError);
    // Of no batch there are heads only.
    const [one, other] = [zeros([3, 4]), zeros([5, 4])];
    expect(() => call({ attnMask: zeros([4, 3, 5]) }, one, other)).toThrow(/\[2, 3, 5\], one for each head$/);
    expect(() => call({ keyPaddingMask: zeros([1, 5]) }, one, other)).toThrow(/it must be \[5\]/);
  });

  test("a captured function takes masks of each call", () => {
    const layer = new nn.MultiheadAttention(4, 2);
    const x = randn([3, 2, 4]);
    const run = capture(
      (keyPaddingMask: Tensor) => layer.forward(x, x, x, { keyPaddingMask, needWeights: false })[0],
    );
    for (const last of [true, false, true]) {
      const mask = tensor([
        [false, false, last],
        [false, false, false],
      ]);
      const [now] = layer.forward(x, x, x, { keyPaddingMask: mask, needWeights: false });
      expect(values(run(mask))).toEqual(close(now));
    }
  });
});

describe("transformer layers", () => {
  const small = { dimFeedforward: 8, dropout: 0 };

  test("copies begin equal and are trained apart", () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, small);
    const encoder = new nn.TransformerEncoder(layer, 2, { norm: new nn.LayerNorm(4) });
    const [a, b] = [...encoder.layers].map((l) => l.linear1.weight);
    expect(a).not.toBe(b);
    expect(bits(a!)).toBe(bits(b!));
    expect(encoder.parameters()).not.toContain(layer.linear1.weight);
    expect(encoder.layers.at(0).selfAttn.dropout).toBe(0);
  });

  test("take an activation by name, as a function, and as a layer of which weights are trained", () => {
    const x = randn([3, 2, 4]);
    const outputs = (["gelu", (t: Tensor) => t.gelu(), new nn.GELU()] as const).map((activation) => {
      manualSeed(1);
      return bits(new nn.TransformerEncoderLayer(4, 2, { ...small, activation }).forward(x));
    });
    expect(new Set(outputs).size).toBe(1);
    const learned = new nn.TransformerEncoderLayer(4, 2, { ...small, activation: new nn.PReLU() });
    expect([...learned.stateDict().keys()]).toContain("activation.weight");
    expect(() => new nn.TransformerEncoderLayer(4, 2, { activation: "silu" as "gelu" })).toThrow(
      /"relu", "gelu"/,
    );
  });

  test("drop out in training, and nothing in eval mode", () => {
    const layer = new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 8, dropout: 0.5 });
    const [tgt, memory] = [randn([3, 2, 4]), randn([5, 2, 4])];
    expect(bits(layer.forward(tgt, memory))).not.toBe(bits(layer.forward(tgt, memory)));
    layer.eval();
    expect(bits(layer.forward(tgt, memory))).toBe(bits(layer.forward(tgt, memory)));
  });

  test("take empty sequences and batches", () => {
    const encoder = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2, small), 1);
    expect(encoder.forward(zeros([0, 2, 4])).shape).toEqual([0, 2, 4]);
    expect(encoder.forward(zeros([3, 0, 4])).shape).toEqual([3, 0, 4]);
    const decoder = new nn.TransformerDecoderLayer(4, 2, small);
    const y = decoder.forward(randn([3, 2, 4]), zeros([0, 2, 4]));
    expect(y.dataSync().every(Number.isFinite)).toBe(true);
  });

  test("refuse what cannot be, in their own names", () => {
    expect(() => new nn.TransformerEncoderLayer(8, 3)).toThrow(
      /TransformerEncoderLayer: 3 heads do not divide dModel 8/,
    );
    expect(() => new nn.TransformerDecoderLayer(0, 1)).toThrow(/dModel is 0/);
    expect(() => new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 1.5 })).toThrow(
      /dimFeedforward is 1.5/,
    );
    expect(() => new nn.TransformerEncoderLayer(4, 2, { dropout: -1 })).toThrow(/dropout is -1/);
    expect(() => new nn.TransformerEncoderLayer(4, 2, { dim_feedforward: 8 } as object)).toThrow(
      /dimFeedforward/,
    );
    const layer = new nn.TransformerEncoderLayer(4, 2, small);
    expect(() => new nn.TransformerEncoder(layer, 0)).toThrow(/numLayers is 0/);
    expect(() => new nn.TransformerEncoder(4 as never, 2)).toThrow(ArgumentError);
    expect(() => layer.forward(zeros([3, 2, 5]))).toThrow(ShapeError);
    expect(() => layer.forward(zeros([3, 2, 4]), { srcMask: zeros([2, 3]) })).toThrow(ShapeError);
    expect(() => layer.forward(zeros([3, 2, 4]), { mask: zeros([3, 3]) } as object)).toThrow(/srcMask/);
    expect(() => layer.forward(zeros([3, 2, 4]), { isCausal: true })).toThrow(/isCausal/);
    const whole = new nn.Transformer({
      dModel: 4,
      nhead: 2,
      numEncoderLayers: 1,
      numDecoderLayers: 1,
      ...small,
    });
    expect(() => whole.forward(zeros([3, 2, 4]), zeros([3, 1, 4]))).toThrow(/one batch, dimension 1/);
    expect(() => whole.forward(zeros([3, 2, 4]), zeros([3, 2, 5]))).toThrow(/must be dModel, 4/);
    expect(() => new nn.Transformer({ customEncoder: 3 as never })).toThrow(ArgumentError);
  });

  test("another encoder can stand in the place of Transformer's own", () => {
    class Plain extends nn.Module {
      forward(src: Tensor): Tensor {
        return src;
      }
    }
    const customEncoder = new Plain();
    const whole = new nn.Transformer({ dModel: 4, nhead: 2, numDecoderLayers: 1, customEncoder, ...small });
    const [src, tgt] = [randn([3, 2, 4]), randn([2, 2, 4])];
    expect(whole.encoder).toBe(customEncoder);
    expect(bits(whole.forward(src, tgt))).toBe(bits(whole.decoder.forward(tgt, src)));
  });
});

describe("what is frozen of a transformer does not move by a bit", () => {
  const [width, heads] = [4, 2];
  class Net extends nn.Module {
    encoder = new nn.TransformerEncoder(
      new nn.TransformerEncoderLayer(width, heads, { dimFeedforward: 6, dropout: 0.1, activation: "gelu" }),
      2,
      { norm: new nn.RMSNorm(width) },
    );
    channels = new nn.GroupNorm(2, width);
    head = nn.weightNorm(new nn.Linear(width, 3));
    forward(x: Tensor): Tensor {
      return this.head.forward(this.channels.forward(this.encoder.forward(x).mean(0)));
    }
  }
  const x = randn([5, 3, width]);
  const state = (net: Net): Map<string, string> =>
    new Map(net.namedParameters().map(([path, p]) => [path, bits(p)]));
  const steps = async (net: Net, trains: string[], optimizer: optim.AdamW | optim.SGD): Promise<void> => {
    const step = trainStep(optimizer, {
      module: net,
      loss: (input: Tensor) => net.forward(input).square().sum(),
      trains: trains as ["**"],
      clipNorm: 1,
    });
    for (let i = 0; i < 2; i++) await step(x);
  };

  test.each([
    ["the head", ["head.**"]],
    ["the top layer", ["encoder.layers.1.**", "head.**"]],
    ["norms", ["encoder.layers.*.norm*.**", "encoder.norm.**", "channels.**"]],
    ["projections inward", ["encoder.layers.*.selfAttn.inProjWeight"]],
    ["all but projections inward", ["**", "!encoder.layers.*.selfAttn.inProj*"]],
    ["all but lengths of weights", ["**", "!head.parametrizations.weight.original0"]],
  ])("where only %s train", async (_, trains) => {
    for (const make of [
      (net: Net) => new optim.AdamW(net, { lr: 0.01, weightDecay: 0.1 }),
      (net: Net) => new optim.SGD(net, { lr: 0.01, momentum: 0.9, weightDecay: 0.1 }),
    ]) {
      const net = new Net();
      const before = state(net);
      const optimizer = make(net);
      await steps(net, trains, optimizer);
      const after = state(net);
      const trained = new Set([...before.keys()].filter((path) => before.get(path) !== after.get(path)));
      const wanted = new Set(
        net.namedParameters().flatMap(([path, p]) => (optimizer.parts(p).length > 0 ? [path] : [])),
      );
      expect(trained).toEqual(wanted);
      for (const path of trained)
        expect(trains.some((glob) => path.startsWith(glob.split("*")[0]!))).toBe(true);
    }
  });

  test("queries alone of a packed projection: the rows of keys and values rest", async () => {
    const net = new Net();
    const weight = net.encoder.layers.at(0).selfAttn.inProjWeight!;
    const rows = (from: number, count: number): string => bits(weight.narrow(0, from, count));
    const [queries, others] = [rows(0, width), rows(width, 2 * width)];
    const step = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
      module: net,
      loss: (input: Tensor) => net.forward(input).square().sum(),
      trains: ["encoder.layers.0.selfAttn.inProjWeight[:4]", "head.parametrizations.weight.original0"],
    });
    await step(x);
    expect(rows(0, width)).not.toBe(queries);
    expect(rows(width, 2 * width)).toBe(others);
  });
});
