// What ranks take to agree on a call that they have made before. Rank 0 prints the microseconds.
import { workerData } from "node:worker_threads";
import { median } from "./median.mjs";

const built = new URL("../../dist/modules/", import.meta.url);
const load = (path) => import(new URL(path, built).href);
const { manualSeed, nn, optim } = await load("index.js");
const { Agreements } = await load("distributed/agreement.js");
const { describeList } = await load("distributed/contribution.js");
const { Met } = await load("distributed/met.js");
const { rankKey, ThreadsEngine } = await load("distributed/threads/threads-engine.js");
const { startMpi } = await load("distributed/mpi/start-mpi.js");

const engine = workerData?.[rankKey]
  ? new ThreadsEngine(workerData[rankKey])
  : startMpi(2, { timeout: 60_000, silence: 20_000, grace: 2000, restarts: 0 });
manualSeed(0);
const net = new nn.Sequential(new nn.Linear(1024, 4096), new nn.ReLU(), new nn.Linear(4096, 1024));
const parameters = net.namedParameters().map(([, p]) => p);
const optimizer = new optim.AdamW(net, { lr: 1e-3 });
const settings = {
  module: net,
  parameters: () => parameters,
  optionGroups: () => optimizer.paramGroups,
  policyOf: () => undefined,
  decay: () => null,
  start: "same",
  frozenAlone: "error",
};
const agreements = new Agreements(engine, 1, settings, new Met());
const regions = new Map(parameters.map((p) => [p, null]));
const proposal = { regions, of: 1, alike: describeList([]), isFresh: false };
const [turns, calls] = [21, 500];
const times = [];
for (let turn = 0; turn < turns; turn++) {
  const start = performance.now();
  for (let i = 0; i < calls; i++) agreements.on(proposal);
  times.push((1000 * (performance.now() - start)) / calls);
}
engine.gather("barrier()", new Uint8Array(0));
if (engine.rank === 0) console.log(JSON.stringify({ us: median(times), minUs: Math.min(...times) }));
