// What text models are made of beside PyTorch, one thread each, in turns: steps of an encoder with all of it trained, the
// top two layers or only the head; layers with their gradients; and a step that recomputes beside one that does not. Times
// are those of the processor, as a neighbour on the machine does not count in them; ratios are of the least of all turns,
// and below 1 thaw is faster.
import { parseArgs } from "node:util";
import { pythonPeer } from "../python-peer.ts";
import { recomputation } from "./recompute.ts";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    rounds: { type: "string", default: "7" },
    only: { type: "string", default: "" },
    compiled: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:text -- [options]

  --rounds N      turns of each (7)
  --only TEXT     cases whose names have this in them
  --compiled      encoders beside torch.compile too, which needs g++
  --python PATH   a Python with PyTorch 2.13; bench/.venv/bin/python, or python3, unless given`);
  process.exit(0);
}
process.env.THAW_THREADS = "1";
const dist = new URL("../../dist/", import.meta.url);
const thaw = (await import(new URL("index.js", dist).href)) as typeof import("thaw");
const { capture, crossEntropy, currentBackend, embedding, gradient, groupNorm, layerNorm } = thaw;
const { nn, optim, randint, randn, rmsNorm, trainStep, zeros } = thaw;
type Tensor = import("thaw").Tensor;

interface Case {
  readonly name: string;
  readonly dropout: number;
  /** Of PyTorch's time. */
  readonly bar: number;
  /** What is moved at least: operands and results, each once; 0 where that is not what it takes. */
  readonly bytes: number;
  readonly peers: readonly string[];
  make(): () => unknown;
}

class Encoder extends nn.Module {
  encoder: InstanceType<typeof nn.TransformerEncoder>;
  head = new nn.Linear(384, 10);

  constructor(dropout: number) {
    super();
    const options = { dimFeedforward: 1536, dropout, activation: "gelu", batchFirst: true } as const;
    this.encoder = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(384, 6, options), 6);
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.encoder.forward(x).mean(1));
  }
}

const trained = {
  all: ["**"],
  head: ["head.**"],
  top: ["head.**", "encoder.layers.4.**", "encoder.layers.5.**"],
};

function encoder(of: keyof typeof trained, dropout: number, bar: number): Case {
  const name = `encoder ${of}`;
  const make = () => {
    const net: InstanceType<typeof nn.Module> & { forward(x: Tensor): Tensor } = new Encoder(dropout);
    const [x, y] = [randn([8, 64, 384]), randint(0, 10, [8])];
    const optimizer = new optim.AdamW(net, { lr: 1e-4 });
    const loss = (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y);
    const step = trainStep(optimizer, { loss, trains: trained[of] });
    return () => step(x, y);
  };
  const peers = [`${name} fused`, ...(values.compiled ? [`${name} compiled`] : [])];
  return { name, dropout, bar, bytes: 0, peers, make };
}

const [rows, width] = [4096, 1024];

/**
 * A layer and the gradients of what it takes, which go to buffers, as in a step they would go on into what follows. What it
 * takes is in the backend's memory too, as in a step, where it is a parameter or what came before: arrays would be copied in
 * at each call.
 */
function layer(
  name: string,
  passes: number,
  of: (x: Tensor, ...parameters: Tensor[]) => Tensor,
  operands: () => Tensor[],
): Case {
  const make = () => {
    const all = operands();
    const wanted = all.filter((t) => t.requiresGrad);
    const [x, ...parameters] = all as [Tensor, ...Tensor[]];
    const shape = of(x, ...parameters).shape;
    const cotangent = new nn.Buffer(randn(shape));
    const places = [shape, ...wanted.map((t) => t.shape)].map((s) => new nn.Buffer(zeros(s)));
    return capture(() => {
      const result = of(x, ...parameters);
      const found = gradient(result, wanted, { gradient: cotangent });
      for (const [i, value] of [result, ...found].entries()) places[i]!.update(value!.detach());
    });
  };
  return { name, dropout: 0, bar: 0.6, bytes: passes * rows * width * 4, peers: [name], make };
}

const trainable = (shape: number[]) => new nn.Parameter(randn(shape));
const x = () => trainable([rows, width]);
const cases: readonly Case[] = [
  encoder("all", 0.1, 0.62),
  encoder("head", 0.1, 0.4),
  encoder("top", 0.1, 0.52),
  encoder("all", 0, 0.8),
  encoder("head", 0, 0.78),
  encoder("top", 0, 0.8),
  layer(
    "layer norm",
    5,
    (x, weight, bias) => layerNorm(x, [width], weight!, bias!),
    () => [x(), trainable([width]), trainable([width])],
  ),
  layer(
    "rms norm",
    5,
    (x, weight) => rmsNorm(x, [width], weight!),
    () => [x(), trainable([width])],
  ),
  layer(
    "group norm",
    5,
    (x, weight, bias) => groupNorm(x, 32, weight!, bias!),
    () => [trainable([16, 256, 1024]), trainable([256]), trainable([256])],
  ),
  layer(
    "gelu",
    4,
    (x) => x.gelu(),
    () => [x()],
  ),
  layer(
    "softmax and dropout",
    4,
    (x) => nn.dropout(x.softmax(-1), { p: 0.1 }),
    () => [x()],
  ),
  layer(
    "cross entropy",
    3,
    (x, y) => crossEntropy(x, y!),
    () => [x(), new nn.Buffer(randint(0, width, [rows]))],
  ),
  layer(
    "embedding",
    0,
    (indices, table) => embedding(indices, table!),
    () => [new nn.Buffer(randint(0, 30_000, [512])), trainable([30_000, 384])],
  ),
];

const peer = pythonPeer(new URL("./pytorch.py", import.meta.url), values.python);
const rounds = Number(values.rounds);
const { bytes: bytesPerSecond } = currentBackend().peaks();
console.log(`backend ${currentBackend().name}, one thread; least processor time of ${rounds} turns`);
for (const c of cases) {
  if (!c.name.includes(values.only)) continue;
  const run = c.make();
  for (let i = 0; i < 3; i++) await run();
  const own: number[] = [];
  const theirs: number[] = [];
  for (const name of c.peers) await peer.ask({ name, dropout: c.dropout, rounds: 2 });
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(start);
    own.push((user + system) / 1e3);
    for (const name of c.peers) theirs.push(...(await peer.ask({ name, dropout: c.dropout, rounds: 1 })).ms);
  }
  const [mine, other] = [Math.min(...own), Math.min(...theirs)];
  const what = c.name.startsWith("encoder") ? `${c.name}, dropout ${c.dropout}` : c.name;
  const moved =
    c.bytes === 0
      ? ""
      : `; ${(c.bytes / mine / 1e6).toFixed(1)} of ${(bytesPerSecond / 1e9).toFixed(1)} GB/s`;
  console.log(
    `${what.padEnd(26)} thaw ${mine.toFixed(1)} ms, PyTorch ${other.toFixed(1)} ms: ${(mine / other).toFixed(2)} (bar ${c.bar})${moved}`,
  );
}
if ("checkpoint".includes(values.only)) await recomputation(thaw, rounds);
peer.child.stdin!.end();
