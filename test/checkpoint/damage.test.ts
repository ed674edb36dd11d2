import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import * as nn from "thaw/nn";
import { AdamW } from "thaw/optim";
import { Buffer, full, manualSeed } from "thaw/tensor";
import { expect, test, vi } from "vitest";
import { ChecksumError, SafetensorsError } from "../../src/base/errors.ts";
import { checksumOf } from "../../src/base/storage/index.ts";
import {
  loadFromBytes,
  parseHeader,
  parseSafetensors,
  saveAsync,
  saveToBytes,
  serializeSafetensors,
} from "../../src/checkpoint/index.ts";
import { temporaryFolder } from "./folder.ts";

function subject() {
  manualSeed(1);
  const module = new nn.Linear(3, 2);
  const optimizer = new AdamW(module);
  for (const p of module.parameters()) p.grad = full(p.shape, 0.5);
  optimizer.step();
  return { module, optimizer };
}

test("a bit flipped anywhere is found, and in a tensor it is named", () => {
  const parts = subject();
  const file = saveToBytes({ ...parts, metadata: { mine: "text" } });
  const { tensors } = parseHeader(file, file.length);
  const before = [...parts.module.weight.dataSync()];
  const start = Math.min(...[...tensors.values()].map(({ begin }) => begin));
  for (let at = 0; at < file.length; at++) {
    // In the header every bit; in the tensors one of each byte.
    const bits = at < start ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8];
    for (const bit of bits) {
      const changed = file.slice();
      changed[at]! ^= 1 << bit;
      const run = () => loadFromBytes(changed, parts);
      // Whatever else is loaded: weights alone are checked as well.
      if (at >= start) {
        const [name] = [...tensors].find(([, { begin, end }]) => at >= begin && at < end)!;
        expect(run).toThrow(ChecksumError);
        expect(run).toThrow(`"${name}" in The checkpoint is not what was written`);
      } else expect(run).toThrow(SafetensorsError);
    }
  }
  expect([...parts.module.weight.dataSync()]).toEqual(before);
  expect(() => loadFromBytes(file, parts)).not.toThrow();
}, 120_000);

test("tensors that are swapped are found, and a file that was changed on purpose can be loaded", () => {
  const { module } = subject();
  const file = saveToBytes({ module });
  const { metadata } = parseHeader(file, file.length);
  const tensors = parseSafetensors(file);
  const changed = serializeSafetensors(new Map([...tensors].map(([name, t]) => [name, t.mul(2)])), {
    metadata,
  });
  expect(() => loadFromBytes(changed, { module })).toThrow(ChecksumError);
  expect(() => loadFromBytes(changed, { module })).toThrow("load it with { checksums: false }");
  const twice = [...module.weight.dataSync()].map((x) => 2 * x);
  loadFromBytes(changed, { module, checksums: false });
  expect([...module.weight.dataSync()]).toEqual(twice);
});

test("the checksum is CRC-32, in pieces or whole, with zlib or without", async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7919) >>> 3);
  const expected = crc32(bytes).toString(16).padStart(8, "0");
  expect(checksumOf([new TextEncoder().encode("123456789")])).toBe("cbf43926");
  expect(checksumOf([bytes.subarray(0, 1), bytes.subarray(1, 500), bytes.subarray(500)])).toBe(expected);
  vi.resetModules();
  const elsewhere = await import("../../src/base/storage/checksum.ts");
  vi.stubGlobal("process", undefined);
  try {
    expect(elsewhere.checksumOf([bytes.subarray(0, 77), bytes.subarray(77)])).toBe(expected);
    expect(elsewhere.checksumOf([])).toBe("00000000");
  } finally {
    vi.unstubAllGlobals();
  }
});

test("names of every kind have their checksums, whichever thread makes them", async () => {
  const names = ["10", "2", 'quoted "twice"', "\\", "ü", "😀", "\n", "thaw.checksums"];
  class Named extends nn.Module {
    constructor() {
      super();
      for (const [i, name] of names.entries()) Object.assign(this, { [name]: new Buffer(full([i + 1], i)) });
    }
  }
  const module = new Named();
  const bytes = saveToBytes({ module });
  const path = join(temporaryFolder(), "named.safetensors");
  await saveAsync(path, { module });
  expect(readFileSync(path).equals(bytes)).toBe(true);
  const { metadata } = parseHeader(bytes, bytes.length);
  for (const [name, sum] of Object.entries(JSON.parse(metadata["thaw.checksums"]!))) {
    const { begin, end } = parseHeader(bytes, bytes.length).tensors.get(name)!;
    expect(sum, name).toBe(checksumOf([bytes.subarray(begin, end)]));
  }
  expect(() => loadFromBytes(bytes, { module })).not.toThrow();
});
