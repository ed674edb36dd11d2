import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { replay } from "../../src/cli/replay.ts";

const oracle = (name: string): string => fileURLToPath(new URL(`../oracle/${name}`, import.meta.url));

test.each([
  ["examples.json.gz", 11],
  ["replay.json.gz", 300],
  ["more-optimizers.json.gz", 40],
])(
  "every run in %s ends where PyTorch's did, step by step",
  async (name, atLeast) => {
    const lines: string[] = [];
    const { passed, failed } = await replay([oracle(name)], (line) => lines.push(line));
    expect(lines).toEqual([`${passed} passed, 0 failed`]);
    expect(failed).toBe(0);
    expect(passed).toBeGreaterThanOrEqual(atLeast);
  },
  300_000,
);

const folder = mkdtempSync(join(tmpdir(), "thaw-replay-"));
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
