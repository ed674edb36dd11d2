// What the calls of a training step of an encoder take before they run, on the built library; the depth is the argument.
import { encoderOf } from "../page/encoder.mjs";

const built = new URL("../../dist/modules/", import.meta.url);
const load = (path) => import(new URL(path, built).href);
const { crossEntropy, gradient, manualSeed, nn, optim, randint, randn, trainStep } = await load("index.js");
const { currentBackend } = await load("backends/index.js");
const { observeRuns } = await load("engine/run-plan.js");
const { notCarriedOut, planned } = await load("engine/realize.js");
const { signatureOf } = await load("engine/signature.js");
const { simplify } = await load("ir/simplify.js");
const { arrange } = await load("plan/arrange.js");
const { clusterize } = await load("plan/cluster.js");
const { layOut } = await load("plan/layout.js");
const { prepare } = await load("plan/prepare.js");
const { lower } = await load("plan/lower.js");

const layers = Number(process.argv[2]);
// Wide enough for real products, and small enough that running takes little beside planning.
const [width, heads, batch] = [64, 2, 2];

let call = {};
let kernels = 0;
observeRuns({
  run: ({ plan }) => {
    kernels = plan.calls.length;
  },
  prepared: ({ name, start, end, inner }) => {
    call[name] += end - start - inner;
  },
});
let tokens = 16;
const batchOf = (length) => {
  const data = [randn([batch, length, width]), randint(0, 10, [batch])];
  for (const t of data) t.dataSync();
  return data;
};

/** The first call of a network, one of a further length, and one of a further frozen set. */
async function calls(depth) {
  const net = encoderOf(nn, { width, heads, depth });
  const optimizer = new optim.AdamW(net, { lr: 1e-3 });
  const step = trainStep(optimizer, {
    loss: (x, y, _what) => crossEntropy(net.forward(x), y),
    trains: (_x, _y, what) => what,
  });
  const timed = async (length, what) => {
    const data = batchOf(length);
    call = { recording: 0, planning: 0, compiling: 0 };
    await step(...data, what);
    return { ...call, kernels };
  };
  tokens += 2;
  const first = await timed(tokens, "**");
  const length = await timed(tokens + 1, "**");
  const frozen = await timed(tokens, ["head.**", `layers.${depth - 1}.**`]);
  return { net, optimizer, first, length, frozen };
}

const took = (fn) => {
  const start = performance.now();
  const made = fn();
  return [performance.now() - start, made];
};

/** The stages of recording and planning, each alone. */
function stagesOf(net, optimizer) {
  const [x, y] = batchOf(tokens + 40);
  const parameters = [...net.parameters()];
  const { graph } = planned(() => {
    const loss = crossEntropy(net.forward(x), y);
    const gradients = gradient(loss, parameters);
    optimizer.update(new Map(parameters.map((p, i) => [p, gradients[i].node])));
    return [loss.node];
  })();
  const [recorded, differentiated, keys] = notCarriedOut(() => {
    const [recording, loss] = took(() => crossEntropy(net.forward(x), y));
    const [differentiating, gradients] = took(() => gradient(loss, parameters));
    const roots = [loss, ...gradients].map((t) => t.node);
    return [recording, differentiating, took(() => signatureOf(roots, [roots.length]))[0]];
  });
  const roots = [...graph.outputs, ...graph.writes.map((w) => w.value), ...graph.checks];
  const resident = () => true;
  const [simplified] = took(() => simplify(roots));
  const [whole] = took(() => lower(graph, resident, null));
  const [prepared, asked] = took(() => prepare(graph));
  const [clustered, clusters] = took(() => clusterize(asked));
  const [scheduled, arranged] = took(() => arrange(asked, clusters));
  const [memory] = took(() => layOut(graph, asked, arranged, resident));
  return {
    forward: recorded,
    differentiate: differentiated,
    simplify: simplified,
    prepare: prepared,
    cluster: clustered,
    schedule: scheduled,
    memory,
    kernels: Math.max(0.001, whole - prepared - clustered - scheduled - memory),
    keys,
  };
}

manualSeed(0);
const { first: cold } = await calls(layers);
const fromStart = performance.now();
for (let i = 0; i < 4; i++) await calls(6);
const { net, optimizer, first, length, frozen } = await calls(layers);
const stages = stagesOf(net, optimizer);
console.log(
  JSON.stringify({ backend: currentBackend().name, fromStart, cold, first, length, frozen, stages }),
);
process.exit(0);
