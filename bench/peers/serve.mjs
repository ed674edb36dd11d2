// The protocol of the benchmark's peers in JavaScript; `pytorch.py` documents it and speaks it too.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

/** What the harness asks of a peer on its command line. */
export function peerOptions() {
  const { values } = parseArgs({
    options: {
      serve: { type: "boolean" },
      variant: { type: "string", default: "eager" },
      threads: { type: "string", default: "1" },
    },
  });
  return { variant: values.variant, threads: Number(values.threads) };
}

/** The number of a `matmul-N` workload, or undefined where it is another workload. */
export function matmulSize(workload) {
  const match = /^matmul-(\d+)$/.exec(workload);
  return match ? Number(match[1]) : undefined;
}

/** Picks a workload's maker out of `{ W1, W2, W3 }` and `matmul`. */
export function makeWorkload(workload, makers, matmul) {
  const size = matmulSize(workload);
  if (size !== undefined) return matmul(size);
  if (!Object.hasOwn(makers, workload)) {
    throw new Error(`unknown workload ${workload}: use ${Object.keys(makers).join(", ")} or matmul-N`);
  }
  return makers[workload]();
}

/** Answers requests from stdin until it ends. See `serve.d.mts` for what a peer gives. */
export async function serve({ ready, build, captured, measure, clock = () => performance.now() }) {
  const built = new Map();
  print({ ready: true, ...ready });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    try {
      const request = JSON.parse(line);
      print(await answer(request));
    } catch (error) {
      // The harness is told, and may go on with another workload.
      print({ error: `${error.name}: ${error.message}` });
    }
  }

  async function answer({ workload, iterations, warmup = 0 }) {
    const reply = { workload, captured: captured(workload) };
    let iterate = built.get(workload);
    if (iterate === undefined) {
      const start = clock();
      iterate = await build(workload);
      await iterate();
      reply.firstStepMs = clock() - start;
      built.set(workload, iterate);
    }
    await timed(iterate, warmup, clock);
    reply.ms = await timed(iterate, iterations, clock);
    // Kilobytes on every system.
    reply.peakMiB = process.resourceUsage().maxRSS / 1024;
    return { ...reply, ...measure?.() };
  }
}

async function timed(iterate, iterations, clock) {
  const times = new Array(iterations);
  for (let i = 0; i < iterations; i++) {
    const start = clock();
    await iterate();
    times[i] = clock() - start;
  }
  return times;
}

function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
