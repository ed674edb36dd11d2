import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { built } from "../built.ts";

/** What a program of its own says, which is run by Node with the built library and no number of threads asked for. */
function said(program: string, backend: string): unknown {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 50_000,
    env: { ...process.env, THAW_BACKEND: backend, THAW_THREADS: "" },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout);
}

const url = (file: string): string => JSON.stringify(pathToFileURL(built(file)).href);

/** Text of a function that runs small or large products, and one that says how many threads there are. */
const shared = `
  const { currentBackend } = await import(${url("backends/index.js")});
  const { randn, manualSeed } = await import(${url("index.js")});
  const work = async (size, times = 20) => {
    manualSeed(0);
    const x = randn([size, size]);
    let sum = 0;
    for (let i = 0; i < times; i++) {
      sum = x.matmul(x).sum().itemSync();
      await new Promise(setImmediate);
    }
    return sum;
  };
  const threads = () => Number(/(\\d+) thread/.exec(currentBackend().describe())[1]);
`;
const cores = "process.getBuiltinModule('node:os').availableParallelism()";

test.each(["native", "wasm"])(
  "%s: one thread for small work, the machine's for large, the same bits",
  (backend) => {
    const [small, large, bits, all] = said(
      `${shared}
    await work(16);
    const small = threads();
    const alone = await work(400, 1);
    const many = await work(400);
    const deadline = Date.now() + 20_000;
    // A worker of wasm joins when it is ready.
    while (threads() < ${cores} && Date.now() < deadline) await work(400, 1);
    const large = threads();
    const together = await work(400);
    console.log(JSON.stringify([small, large, alone === many && many === together, ${cores}]));`,
      backend,
    ) as [number, number, boolean, number];
    expect(small).toBe(1);
    expect(large).toBe(all);
    expect(bits).toBe(true);
  },
);

test("wasm: a single run that is not long starts no workers, and a loop of longer ones does not wait for eight", () => {
  const [once, twice, all] = said(
    `${shared}
    await work(500, 1);
    const once = threads();
    await work(900, 3);
    console.log(JSON.stringify([once, threads(), ${cores}]));`,
    "wasm",
  ) as [number, number, number];
  expect(once).toBe(1);
  expect(twice).toBe(all);
});

test("a number that is asked for decides", () => {
  expect(
    said(`${shared} currentBackend().setThreads(3); await work(16, 1); console.log(threads());`, "native"),
  ).toBe(3);
  expect(
    said(`${shared} currentBackend().setThreads(1); await work(400); console.log(threads());`, "native"),
  ).toBe(1);
});

const workers = (start: string) => `
  const { Worker } = await import("node:worker_threads");
  ${start}
  const program = ${JSON.stringify(`${shared} import { parentPort, workerData } from "node:worker_threads";
    // One that begins late still computes beside all others.
    Atomics.add(workerData, 0, 1);
    while (Atomics.load(workerData, 0) < workerData[1]) await work(300, 5);
    const until = Date.now() + 600;
    while (Date.now() < until) await work(300, 5);
    const seen = threads();
    // One that is done early leaves its core to the others only when all have seen.
    Atomics.add(workerData, 2, 1);
    while (Atomics.load(workerData, 2) < workerData[1]) await work(300, 5);
    parentPort.postMessage(seen);`)};
  const workerData = new Int32Array(new SharedArrayBuffer(12));
  workerData[1] = ${cores};
  const run = () => new Promise((resolve, reject) => {
    const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(program)), { workerData });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  console.log(JSON.stringify(await Promise.all(Array.from({ length: workerData[1] }, run))));
`;

test("workers that compute at the same time share the cores", () => {
  const counts = said(workers(`await import(${url("index.js")});`), "native") as number[];
  for (const threads of counts) expect(threads).toBe(1);
});

test("workers of a program that has not imported thaw itself take one thread each", () => {
  const counts = said(workers(""), "native") as number[];
  for (const threads of counts) expect(threads).toBe(1);
});
