// Loads, trains and saves a network of more than 4 GiB of f32 (68 layers, 1.1 · 10^9 parameters; or as many layers as are
// named) on the native backend, and checks at each stage that memory holds the weights and no second copy of them.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  currentBackend,
  load,
  manualSeed,
  mseLoss,
  nn,
  optim,
  randn,
  save,
  type Tensor,
  trainStep,
} from "thaw";
import { commit } from "../src/engine/realize.ts";
import { hashOf } from "../src/tensor/pieces.ts";

const layers = Number(process.argv[2] ?? 68);
const width = 4096;

class Network extends nn.Module {
  body = new nn.ModuleList(
    Array.from({ length: layers - 1 }, () => new nn.Linear(width, width, { bias: false })),
  );
  head = new nn.Linear(width, width, { bias: false });

  forward(x: Tensor): Tensor {
    let h = x;
    for (const layer of this.body) h = h.add((layer as nn.Linear).forward(h).relu().div(layers));
    return this.head.forward(h);
  }
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
const weights = layers * width * width * 4;
/** Beside the weights: Node and thaw, their heap, scratch and windows. */
const spare = 0.75 * 2 ** 30;

/** Does something, and says how long it took and what memory was held at most: `most` bytes are allowed. */
async function stage<T>(name: string, most: number, run: () => T | Promise<T>): Promise<T> {
  writeFileSync("/proc/self/clear_refs", "5");
  const start = performance.now();
  const result = await run();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const peak = Number(/VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
  const ok = peak <= most;
  console.log(
    `${name}: ${seconds} s, at most ${gib(peak)} held (${gib(most)} allowed)${ok ? "" : " TOO MUCH"}`,
  );
  if (!ok) process.exitCode = 1;
  return result;
}

function check(ok: boolean, what: string): void {
  if (!ok) throw new Error(`check-memory: ${what}`);
}

const path = process.argv[3] ?? join(tmpdir(), `thaw-check-memory-${process.pid}.safetensors`);
const begun = `${path}.trained`;

check(currentBackend().name === "native", `the backend is ${currentBackend().name}; native is needed`);

/** Makes the file, in a process of its own, whose memory nothing later can lean on. */
async function make(): Promise<void> {
  manualSeed(1);
  const net = new Network();
  await stage(`${layers * width * width} parameters, ${gib(weights)}: made`, weights + spare, () => commit());
  await stage("saved", weights + spare, () => save(path, { module: net }));
}

async function train(): Promise<void> {
  const net = new Network();
  const hashes = (): string[] => net.parameters().map((p) => hashOf(p.resident.storage, null));
  await stage("loaded into a network just made", weights + spare, () => load(path, { module: net }));
  const first = hashes();
  const optimizer = new optim.SGD(net, { lr: 1 });
  const x = randn([8, width]).keep();
  const step = (trains: string) =>
    trainStep(optimizer, { loss: (a: Tensor) => mseLoss(net.forward(a), a), trains: [trains] });
  const [all, head] = [step("**"), step("head.**")];
  await stage("a step of all", weights + spare, () => all(x));
  check(Number.isFinite(await stage("another", weights + spare, () => all(x))), "the loss is not finite");
  const stepped = hashes();
  check(
    stepped.every((hash, i) => hash !== first[i]),
    "a parameter has not moved",
  );
  await stage("a step of the head", weights + spare, () => head(x));
  const rested = hashes();
  const moved = rested.flatMap((hash, i) => (hash === stepped[i] ? [] : [i]));
  check(moved.join() === `${layers - 1}`, `parameters ${moved} have moved, and only the head was to`);
  await stage("saved", weights + spare, () => save(begun, { module: net }));
  check(statSync(begun).size > weights, "the file is too short");
  await stage("loaded over what is trained, which an error would leave", 2 * weights + spare, () =>
    load(path, { module: net }),
  );
  check(hashes().join() === first.join(), "what was loaded is not what was saved");
  await stage("a step of all", weights + spare, () => all(x));
  load(begun, { module: net });
  check(hashes().join() === rested.join(), "what was loaded is not what was trained");
}

if (process.argv[3] !== undefined) await make();
else
  try {
    const made = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), String(layers), path],
      {
        stdio: "inherit",
      },
    );
    check(made.status === 0, "the file was not made");
    await train();
  } finally {
    for (const file of [path, begun]) rmSync(file, { force: true });
  }
