import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, ExportError, manualSeed, nn, type Tensor, tensor } from "thaw";
import { exportOnnx } from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";
import { Message } from "../../src/onnx/protobuf.ts";
import { quantize } from "../../src/onnx/quantize.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-onnx-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (message: Message): number[] => message.pieces.flatMap((piece) => [...piece]);

describe("messages are written as protobuf has them", () => {
  // The examples of protobuf.dev, "Encoding".
  test("a whole number", () => expect(bytes(new Message().int(1, 150))).toEqual([0x08, 0x96, 0x01]));
  test("a text", () =>
    expect(bytes(new Message().text(2, "testing"))).toEqual([
      0x12, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67,
    ]));
  test("a message in another", () =>
    expect(bytes(new Message().message(3, new Message().int(1, 150)))).toEqual([0x1a, 3, 0x08, 0x96, 0x01]));
  test("a negative number takes ten bytes", () =>
    expect(bytes(new Message().int(1, -2))).toEqual([0x08, 0xfe, ...new Array(8).fill(0xff), 0x01]));
  test("a field beyond 15, a size beyond 127, and a float", () => {
    expect(bytes(new Message().int(20, 0))).toEqual([0xa0, 0x01, 0]);
    expect(bytes(new Message().bytes(9, new Uint8Array(300))).slice(0, 3)).toEqual([0x4a, 0xac, 0x02]);
    expect(bytes(new Message().float(2, 1))).toEqual([0x15, 0, 0, 0x80, 0x3f]);
  });
});

test("weights as bytes: the largest of a row or a column is 127 steps from 128", () => {
  const matrix: [number[], number[]] = [
    [2, 3],
    [1, -2, 0, 0.5, 4, 0],
  ];
  expect([...quantize(...matrix, 1).bytes]).toEqual([255, 64, 128, 192, 255, 128]);
  expect([...quantize(...matrix, 0).bytes]).toEqual([192, 1, 128, 144, 255, 128]);
  expect([...quantize(...matrix, 1).scales]).toEqual([Math.fround(1 / 127), Math.fround(4 / 127), 1]);
});

describe("what cannot be exported", () => {
  const inputs = { x: { dtype: "f32", dims: ["batch", 4] } } as const;
  const path = join(folder, "model.onnx");
  const refused = (fn: (x: Tensor) => Tensor, text: RegExp) => {
    const options = { inputs, outputs: ["y"] };
    expect(() => exportOnnx(path, ({ x }) => [fn(x!)], options)).toThrow(ExportError);
    expect(() => exportOnnx(path, ({ x }) => [fn(x!)], options)).toThrow(text);
    expect(existsSync(path)).toBe(false);
  };

  test("what draws random numbers", () => refused((x) => new nn.Dropout(0.5).forward(x), /eval\(\)/));
  test("what sorts", () => refused((x) => x.sort(1).values, /argsort/));
  test("what takes other steps for other sizes", () =>
    refused((x) => (x.shape[0]! > 2 ? x.exp() : x), /depends on the sizes/));
  test("numbers that are no sizes", () =>
    refused((x) => x.mul(Math.sqrt(x.shape[0]!)), /only sizes, and one divided by one/));
  test("a tensor that depends on a size", () =>
    refused(
      (x) => x.mul(tensor(Array.from({ length: x.shape[0]! }, (_, i) => i * i)).unsqueeze(1)),
      /equal steps/,
    ));
  test("names of other outputs, and other precisions", () => {
    expect(() => exportOnnx(path, ({ x }) => [x!], { inputs, outputs: [] })).toThrow(ArgumentError);
    const precision = "q4" as "q8";
    expect(() => exportOnnx(path, ({ x }) => [x!], { inputs, outputs: ["y"], precision })).toThrow(/"q4"/);
  });
});

test("a norm is one operator, where nothing else uses what it is made of", () => {
  const norm = new nn.LayerNorm(4);
  const operators = (fn: (x: Tensor) => Tensor): string => {
    const path = join(folder, "norm.onnx");
    exportOnnx(path, ({ x }) => [fn(x!)], {
      inputs: { x: { dtype: "f32", dims: ["batch", 4] } },
      outputs: ["y"],
    });
    return readFileSync(path, "latin1");
  };
  const one = operators((x) => norm.forward(x));
  expect(one).toContain("LayerNormalization");
  expect(one).not.toMatch(/ReduceSum|Sqrt/);
  const scaled = (x: Tensor) =>
    x
      .sub(x.mean(-1, { keepdim: true }))
      .mul(norm.weight!)
      .add(norm.bias!);
  expect(operators(scaled)).not.toContain("LayerNormalization");
});

test("the same function gives the same bytes, and a weight is in the file once", () => {
  manualSeed(1);
  const layer = new nn.Linear(16, 64);
  const write = (name: string): Buffer => {
    const path = join(folder, name);
    const fn = ({ x }: { readonly x?: Tensor }) => [
      layer
        .forward(x!)
        .matmul(layer.weight)
        .add(x!.matmul(layer.weight.transpose(0, 1)).sum()),
    ];
    exportOnnx(path, fn, { inputs: { x: { dtype: "f32", dims: ["batch", 16] } }, outputs: ["y"] });
    return readFileSync(path);
  };
  const file = write("one.onnx");
  expect(write("two.onnx").equals(file)).toBe(true);
  expect(file.length).toBeLessThan(16 * 64 * 4 + 64 * 4 + 2000);
});
