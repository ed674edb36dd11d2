import fc from "fast-check";
import { serializeSafetensors, type Tensor, tensor, zeros } from "thaw";
import { expect, test } from "vitest";
import { arrivingTensors } from "../../src/checkpoint/arriving-tensors.ts";
import { readTensors } from "../../src/checkpoint/read.ts";

const tensors = new Map<string, Tensor>([
  ["a", tensor([1, 2, 3.5])],
  ["none", zeros([0, 4])],
  ["half", tensor([0.5, -1]).to("bf16")],
  ["flags", tensor([1, 0, 1], { dtype: "bool" })],
  ["one", tensor(7, { dtype: "i32" })],
  ["large", tensor(Array.from({ length: 300 }, (_, i) => i))],
]);
const file = serializeSafetensors(tensors, { metadata: { format: "pt" } });

/** The bytes in parts that end at some of them. */
async function* parts(bytes: Uint8Array, ends: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const end of [...ends.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    yield bytes.slice(at, end);
    at = end;
  }
}

test("a file that arrives in any parts gives its tensors", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), fc.boolean(), async (ends, known) => {
      const size = known ? file.length : null;
      const source = await arrivingTensors("f", { size, parts: parts(file, ends) });
      expect(source.metadata).toEqual({ format: "pt" });
      const found = readTensors(source);
      expect([...found.keys()].sort()).toEqual([...tensors.keys()].sort());
      for (const [name, { dtype, shape }] of found) {
        const own = tensors.get(name)!;
        expect([dtype, shape]).toEqual([own.dtype, own.shape]);
        expect(found.get(name)!.dataSync()).toEqual(own.dataSync());
      }
    }),
    { numRuns: 60 },
  );
});

test("what is in the backend's memory is given once, and closing frees the rest", async () => {
  const source = await arrivingTensors("f", { size: file.length, parts: parts(file, [100, 200]) });
  expect(source.take!("flags")).toBeNull();
  const taken = source.take!("large")!;
  expect(taken.shape).toEqual([300]);
  expect(source.take!("large")).toBeNull();
  source.close();
  expect(source.take!("a")).toBeNull();
  taken.storage.park(null);
});

test("a file that is cut off, in whichever place, is refused", async () => {
  for (let length = 0; length < file.length; length += 7) {
    const cut = file.subarray(0, length);
    await expect(arrivingTensors("f", { size: length, parts: parts(cut, []) })).rejects.toThrow("f");
    await expect(arrivingTensors("f", { size: file.length, parts: parts(cut, []) })).rejects.toThrow();
  }
});
