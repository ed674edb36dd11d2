import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as nn from "thaw/nn";
import { fromArray, Buffer as StateBuffer, type Tensor, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, SafetensorsError } from "../../src/base/errors.ts";
import {
  openTensors,
  parseSafetensors,
  readSafetensors,
  serializeSafetensors,
  writeSafetensors,
} from "../../src/checkpoint/index.ts";
import { bitsOf } from "../../src/nn/bits.ts";
import { fileOf } from "./bytes.ts";
import { temporaryFolder } from "./folder.ts";

const oracle = (name: string): string =>
  fileURLToPath(new URL(`../oracle/safetensors/${name}`, import.meta.url));
const bitsIn = (t: Tensor): number[] => [...bitsOf(t, "test")];

/** The bits that `patterns` of make-safetensors.py gives an element of so many bytes. */
const pattern = (i: number, bytes: number): bigint =>
  (BigInt(i) * 2654435761n + 12345n) & ((1n << BigInt(8 * bytes)) - 1n);

describe("what the format's own library wrote", () => {
  test("comes in bit for bit, whatever the names", () => {
    const tensors = readSafetensors(oracle("held.safetensors"));
    expect([...tensors.keys()].sort()).toEqual(
      ['"ü\\\n😀', "__proto__", "bfloat16", "bool", "float16", "float32", "float64", "int32", "int64", "int8"]
        .concat("none", "scalar", "uint8", "\uff5e", "😀")
        .sort(),
    );
    for (const [name, bytes] of Object.entries({ bfloat16: 2, float16: 2, int32: 4, int8: 1, uint8: 1 })) {
      const t = tensors.get(name)!;
      expect(t.shape).toEqual([2, 3]);
      const mask = (1n << BigInt(8 * bytes)) - 1n;
      expect(bitsIn(t).map((x) => BigInt(x) & mask)).toEqual(
        [0, 1, 2, 3, 4, 5].map((i) => pattern(i, bytes)),
      );
    }
    for (const [name, bytes] of Object.entries({ float32: 4, float64: 8 })) {
      const raw = bitsOf(tensors.get(name)!, "test");
      const words = bytes === 4 ? new Uint32Array(raw.buffer) : new BigUint64Array(raw.buffer);
      expect([...words].map(BigInt)).toEqual([0, 1, 2, 3, 4, 5].map((i) => pattern(i, bytes)));
    }
    expect(tensors.get("bool")!.toArraySync()).toEqual([true, false, true]);
    expect(tensors.get("int64")!.dtype).toBe("i32");
    expect(bitsIn(tensors.get("int64")!)).toEqual([-(2 ** 31), -1, 0, 2 ** 31 - 1]);
    expect(tensors.get("scalar")!.shape).toEqual([]);
    expect(bitsIn(tensors.get("scalar")!)).toEqual([-0]);
    expect(tensors.get("none")!.shape).toEqual([3, 0]);
  });

  test("goes out again as the same bytes, i64 as i64", () => {
    const bytes = readFileSync(oracle("held.safetensors"));
    const tensors = parseSafetensors(bytes);
    const metadata = openTensors(oracle("held.safetensors")).metadata;
    expect(Buffer.from(serializeSafetensors(tensors, { metadata })).equals(bytes)).toBe(true);
    // Whatever the order they are given in.
    const reversed = new Map([...tensors].reverse());
    expect(Buffer.from(serializeSafetensors(reversed, { metadata })).equals(bytes)).toBe(true);
  });

  test("integers of other widths become i32", () => {
    const tensors = readSafetensors(oracle("others.safetensors"));
    expect(Object.fromEntries([...tensors].map(([name, t]) => [name, [t.dtype, bitsIn(t)]]))).toEqual({
      int16: ["i32", [-(2 ** 15), 2 ** 15 - 1]],
      uint16: ["i32", [0, 2 ** 16 - 1]],
      uint32: ["i32", [0, 2 ** 31 - 1]],
      uint64: ["i32", [0, 2 ** 31 - 1]],
    });
  });

  test("an integer beyond i32, and eight-bit floats, are told; their bytes can be read", () => {
    expect(() => readSafetensors(oracle("too-large.safetensors"))).toThrow(
      '"too large" is I64 and has 2147483648 at 1, which does not fit the i32',
    );
    expect(() => readSafetensors(oracle("f8.safetensors"))).toThrow(
      '"f8" is F8_E4M3, which thaw does not have',
    );
    const source = openTensors(oracle("f8.safetensors"));
    const bytes = new Uint8Array(3);
    expect(source.read("f8", bytes, 0)).toBe(2);
    expect([...bytes]).toEqual([0x38, 0x40, 0]);
    source.close();
  });

  test("a sharded folder loads into a module, which computes what PyTorch's did", () => {
    const net = new nn.Linear(3, 2);
    net.loadStateDict(readSafetensors(oracle("sharded")));
    const { input, output } = JSON.parse(readFileSync(oracle("sharded/output.json"), "utf8"));
    const computed = net.forward(tensor(input)).dataSync();
    for (const [i, value] of computed.entries()) expect(value).toBeCloseTo(output[0][i], 6);
  });
});

test("every dtype comes back bit for bit through a file", () => {
  const path = join(temporaryFolder(), "every.safetensors");
  const values = [0, 1, 2, 100, 0.1, -0, Number.NaN, Number.POSITIVE_INFINITY];
  const floats = ["f32", "f64", "bf16", "f16"] as const;
  const tensors = new Map<string, Tensor>([
    ...floats.map((dtype) => [dtype, tensor(values, { dtype })] as const),
    ...(["i32", "u8", "i8"] as const).map((dtype) => [dtype, tensor([1, 2, 100], { dtype })] as const),
    ["bool", tensor([true, false])],
    ["computed", tensor([1, 2]).mul(3)],
    [
      "large",
      fromArray(
        Float32Array.from({ length: 300_000 }, (_, i) => i),
        [300, 1000],
      ),
    ],
  ]);
  writeSafetensors(path, tensors);
  const back = readSafetensors(path);
  expect([...back.keys()].sort()).toEqual([...tensors.keys()].sort());
  for (const [name, t] of tensors) {
    expect([back.get(name)!.dtype, back.get(name)!.shape]).toEqual([t.dtype, t.shape]);
    expect(bitsIn(back.get(name)!)).toEqual(bitsIn(t));
  }
});

test("a long i64 tensor is converted piece by piece, there and back", () => {
  const count = 2 ** 16 + 3;
  const wide = BigInt64Array.from({ length: count }, (_, i) => BigInt(i - 5));
  const bytes = fileOf({ n: { dtype: "I64", shape: [count], data_offsets: [0, 8 * count] } }, 8 * count);
  bytes.set(new Uint8Array(wide.buffer), bytes.length - 8 * count);
  const tensors = parseSafetensors(bytes);
  expect(bitsIn(tensors.get("n")!)).toEqual(Array.from({ length: count }, (_, i) => i - 5));
  const again = serializeSafetensors(tensors);
  expect(Buffer.from(again.subarray(-8 * count)).equals(Buffer.from(wide.buffer))).toBe(true);
});

test("i64 stays i64 through a module", () => {
  class Counter extends nn.Module {
    count = new StateBuffer(zeros([], { dtype: "i32" }));
  }
  const net = new Counter();
  const bytes = fileOf({ count: { dtype: "I64", shape: [], data_offsets: [0, 8] } }, 8);
  bytes[bytes.length - 8] = 7;
  net.loadStateDict(parseSafetensors(bytes));
  expect(net.count.itemSync()).toBe(7);
  const text = new TextDecoder().decode(serializeSafetensors(net.stateDict()));
  expect(text).toContain('"count":{"dtype":"I64"');
});

test("metadata is in the file, padding makes the data aligned", () => {
  const bytes = serializeSafetensors({ a: tensor([1]) }, { metadata: { b: "ü", a: "1" } });
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  expect(length % 8).toBe(0);
  expect(new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd()).toBe(
    '{"__metadata__":{"a":"1","b":"ü"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
  );
});

describe("refuses", () => {
  test("a byte that is no boolean", () => {
    const bytes = fileOf({ b: { dtype: "BOOL", shape: [2], data_offsets: [0, 2] } }, 2);
    bytes[bytes.length - 1] = 2;
    expect(() => parseSafetensors(bytes)).toThrow('"b" is BOOL and has the byte 2 at 1');
  });
  test("names and metadata that a file cannot have", () => {
    expect(() => serializeSafetensors({ __metadata__: tensor([1]) })).toThrow(ArgumentError);
    expect(() => serializeSafetensors({ "\ud800": tensor([1]) })).toThrow(ArgumentError);
    expect(() => serializeSafetensors({}, { metadata: { a: 1 as unknown as string } })).toThrow(
      'The metadata "a" is "1"; it must be text',
    );
  });
  test("a file cut off at any byte", () => {
    const whole = serializeSafetensors({ a: tensor([1, 2]), b: tensor([true]) }, { metadata: { x: "y" } });
    const path = join(temporaryFolder(), "cut.safetensors");
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseSafetensors(whole.subarray(0, length))).toThrow(SafetensorsError);
      writeFileSync(path, whole.subarray(0, length));
      expect(() => readSafetensors(path)).toThrow(SafetensorsError);
    }
    expect(parseSafetensors(whole).size).toBe(2);
  });
});
