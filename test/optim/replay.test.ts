import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { ArgumentError } from "../../src/base/errors.ts";
import { replay } from "../../src/cli/replay.ts";
import { sampled } from "../breadth.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-replay-"));
const oracle = (name: string): string => fileURLToPath(new URL(`../oracle/${name}`, import.meta.url));

test.each([
  ["examples.json.gz", 1, 11],
  // One run in some takes long enough; npm run check:breadth takes all.
  ["replay.json.gz", currentBackend().name === "native" ? 13 : 7, 300],
  ["more-optimizers.json.gz", currentBackend().name === "native" ? 13 : 7, 40],
])(
  "every run in %s ends where PyTorch's did, step by step",
  async (name, oneIn, atLeast) => {
    const { format, cases } = JSON.parse(gunzipSync(readFileSync(oracle(name))).toString());
    expect(cases.length).toBeGreaterThanOrEqual(atLeast);
    const file = join(folder, "some.json");
    const some = sampled(cases, oneIn);
    writeFileSync(file, JSON.stringify({ format, cases: some }));
    const lines: string[] = [];
    const { passed, failed } = await replay([file], (line) => lines.push(line));
    expect(lines).toEqual([`${some.length} passed, 0 failed`]);
    expect([passed, failed]).toEqual([some.length, 0]);
  },
  300_000,
);

const [sgd] = JSON.parse(gunzipSync(readFileSync(oracle("examples.json.gz"))).toString()).cases;

/** The first example with something changed, in a plain file. */
function changed(change: (replayed: typeof sgd) => void): string {
  const copy = structuredClone(sgd);
  change(copy);
  const file = join(folder, "changed.json");
  writeFileSync(file, JSON.stringify({ format: "replay/1", cases: [copy] }));
  return file;
}

test.each([
  [
    "a loss",
    (c: typeof sgd) => (c.expected[1].loss += 0.1),
    /^FAILED SGD-0: step 1, loss: got 2\.0\d+, expected 2\.1\d+$/,
  ],
  [
    "a parameter",
    (c: typeof sgd) => (c.expected[2].parameters["output.weight"][1][2] += 0.1),
    /^FAILED SGD-0: step 2, output\.weight \[1, 2\]: got -?0\.\d+, expected 0\.\d+$/,
  ],
  [
    "state",
    (c: typeof sgd) => (c.expected[3].state["norm.bias"].momentum_buffer[0] += 1),
    /^FAILED SGD-0: step 3, momentum_buffer of norm\.bias \[0\]: got/,
  ],
  [
    "missing state",
    (c: typeof sgd) => delete c.expected[0].state["norm.bias"],
    /^FAILED SGD-0: step 0, state of norm\.bias: got momentum_buffer, expected none$/,
  ],
  ["NaN", (c: typeof sgd) => (c.expected[0].loss = null), /^FAILED SGD-0: step 0, loss: got/],
  [
    "an unknown layer",
    (c: typeof sgd) => (c.modules.act.type = "Swish"),
    /^FAILED SGD-0: ArgumentError: replay: a module of type Swish/,
  ],
])("a run that differs in %s is told with its first difference", async (_, change, expected) => {
  const lines: string[] = [];
  expect(await replay([changed(change)], (line) => lines.push(line))).toEqual({ passed: 0, failed: 1 });
  expect(lines[0]).toMatch(expected);
  expect(lines[1]).toBe("0 passed, 1 failed");
});

test("a file that holds no cases, or is not there, is an error", async () => {
  const file = join(folder, "other.json");
  writeFileSync(file, JSON.stringify({ format: "layers/1" }));
  await expect(replay([file])).rejects.toThrow(ArgumentError);
  await expect(replay([file])).rejects.toThrow('has format "layers/1", not "replay/1"');
  await expect(replay([join(folder, "none.json")])).rejects.toThrow("none.json cannot be read");
});
