// Attention, forward and backward, beside PyTorch's scaled_dot_product_attention: one core each, in turns, heads of 64.
// Ratios are of the least times of all turns; below 1 thaw is faster.
import { parseArgs } from "node:util";
import { pythonPeer } from "../python-peer.ts";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    rounds: { type: "string", default: "7" },
    only: { type: "string", default: "" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:attention -- [options]

  --rounds N      turns of each (7)
  --only TEXT     cases whose names have this in them
  --python PATH   a Python with PyTorch 2.13; bench/.venv/bin/python, or python3, unless given`);
  process.exit(0);
}
process.env.THAW_THREADS = "1";
const dist = new URL("../../dist/", import.meta.url);
const { capture, currentBackend, fromArray, gradient, nn, randn, zeros }: typeof import("thaw") =
  await import(new URL("index.js", dist).href);

interface Case {
  readonly name: string;
  readonly shape: readonly [batch: number, heads: number, length: number, size: number];
  readonly causal: boolean;
  readonly lengths: readonly number[] | null;
}

const lengths = [128, 384, 192, 320, 256, 256, 160, 352];
const cases: readonly Case[] = [
  { name: "64 positions", shape: [8, 6, 64, 64], causal: false, lengths: null },
  { name: "512 positions", shape: [1, 6, 512, 64], causal: false, lengths: null },
  { name: "4,096 positions", shape: [1, 1, 4096, 64], causal: false, lengths: null },
  { name: "4,096 positions, causal", shape: [1, 1, 4096, 64], causal: true, lengths: null },
  { name: "batch of 8 × 512", shape: [8, 1, 512, 64], causal: false, lengths: null },
  { name: "batch of 8 × 512, half of it padding", shape: [8, 1, 512, 64], causal: false, lengths },
];

/**
 * What runs a case once. Operands and results are in the backend's memory, as in a step, where projections come before and
 * after: arrays would be copied in, and results out, at each call.
 */
function thaw({ shape, causal, lengths }: Case): () => void {
  const [query, key, value] = [0, 1, 2].map(() => new nn.Parameter(randn(shape)));
  const cotangent = new nn.Buffer(randn(shape));
  const mask = lengths === null ? null : new nn.Buffer(maskOf(lengths, shape[2]));
  const places = Array.from({ length: 4 }, () => new nn.Buffer(zeros(shape)));
  return capture(() => {
    const result = nn.scaledDotProductAttention(query!, key!, value!, { isCausal: causal, attnMask: mask });
    const found = gradient(result, [query!, key!, value!], { gradient: cotangent });
    for (const [i, value] of [result, ...found].entries()) places[i]!.update(value!.detach());
  });
}

const maskOf = (lengths: readonly number[], length: number) =>
  fromArray(
    lengths.flatMap((own) => Array.from({ length }, (_, s) => Number(s < own))),
    [lengths.length, 1, 1, length],
    { dtype: "bool" },
  );

const peer = pythonPeer(new URL("./pytorch.py", import.meta.url), values.python);
const rounds = Number(values.rounds);
const times = new Map<string, number>();
console.log(`backend ${currentBackend().name}, one thread; forward and backward, least of ${rounds} turns`);
for (const c of cases) {
  if (!c.name.includes(values.only)) continue;
  const run = thaw(c);
  for (let i = 0; i < 3; i++) run();
  const own: number[] = [];
  const theirs: number[] = [];
  await peer.ask({ ...c, rounds: 1 });
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run();
    own.push(performance.now() - start);
    theirs.push(...(await peer.ask({ ...c, rounds: 1 })).ms);
  }
  const [mine, other] = [Math.min(...own), Math.min(...theirs)];
  times.set(c.name, mine);
  const [batch, heads, length, size] = c.shape;
  const flops = (14 * batch * heads * length * length * size) / (c.causal ? 2 : 1);
  const rate = (ms: number) => `${(flops / ms / 1e6).toFixed(0)} GFLOP/s`;
  console.log(
    `${c.name.padEnd(38)} thaw ${mine.toFixed(2)} ms ${rate(mine)}   PyTorch ${other.toFixed(2)} ms ${rate(other)}   ratio ${(mine / other).toFixed(2)}`,
  );
}
const ratio = (a: string, b: string, what: string, bar: number) => {
  if (times.has(a) && times.has(b))
    console.log(`${what}: ${(times.get(a)! / times.get(b)!).toFixed(2)} (bar ${bar})`);
};
ratio("4,096 positions, causal", "4,096 positions", "causal of full", 0.55);
ratio("batch of 8 × 512, half of it padding", "batch of 8 × 512", "padded of full", 0.6);
peer.child.stdin!.end();
