import { parseArgs } from "node:util";
import { chromiumPath, launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";

const usage = `npm run bench:page -- [options]    how a page fares in which thaw trains

  --seconds 10      how long each workload trains
  --threads 1,3,own threads of the wasm backend, own: as many as it takes by itself; beside jax-js 1,2
  --beside-jax      W2 and W3 beside jax-js in one page instead (after npm ci --prefix bench): with as many workers of
                    jax-js as there are threads here, and with as many as it has by itself
  --chromium PATH   the browser`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    threads: { type: "string" },
    "beside-jax": { type: "boolean" },
    chromium: { type: "string" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}

/** What `measure.mjs` gives. */
interface Measured {
  readonly threads: number;
  readonly firstStep: number;
  readonly joined: number | null;
  readonly stepsPerSecond: number;
  readonly ofUnyielding: number;
  readonly framesPerSecond: number;
  readonly longestTask: number;
}

const executablePath = values.chromium ?? chromiumPath;
if (executablePath === undefined) throw new Error("No Chromium is found: name one with --chromium PATH");
const server = await servePage("bench/page");
const browser = await launchChromium(executablePath);
/** What the page at a path gives; as text: what compiles this file must not touch the page's code. */
async function inPage<T>(path: string, script: string): Promise<T> {
  const page = await browser.newPage();
  try {
    await page.goto(server.url + path);
    return (await page.evaluate(script)) as T;
  } finally {
    await page.close();
  }
}

const threadCounts = (values.threads ?? (values["beside-jax"] ? "1,2" : "1,3,own"))
  .split(",")
  .map((text) => (text === "own" ? null : Number(text)));

/** How a page fares in which thaw trains. */
async function fares(): Promise<string[]> {
  const rows: string[][] = [];
  for (const [workload, where] of [
    ["W2", "page"],
    ["encoder", "worker"],
  ] as const)
    for (const threads of threadCounts) {
      const options = JSON.stringify({ workload, threads, seconds: Number(values.seconds) });
      const got = await inPage<Measured>(
        "",
        `import("/measure.mjs").then(({ measure }) => measure("${where}", ${options}))`,
      );
      const joined =
        threads === 1 ? "–" : got.joined === null ? "never" : `${(got.joined / 1000).toFixed(2)} s`;
      rows.push([
        workload,
        where,
        threads === null ? `own (${got.threads})` : String(threads),
        `${got.firstStep.toFixed(0)} ms`,
        joined,
        got.framesPerSecond.toFixed(1),
        `${got.longestTask.toFixed(0)} ms`,
        got.stepsPerSecond.toFixed(1),
        got.ofUnyielding.toFixed(2),
      ]);
    }
  const columns = [
    "workload",
    "in",
    "threads",
    "first step",
    "workers joined",
    "frames/s",
    "longest task",
    "steps/s",
    "of unyielding",
  ];
  return [
    ...table(columns, rows),
    "",
    "Bars: 50 frames/s; no task above 50 ms; workers joined within 1 s; 0.75 of the unyielding speed.",
  ];
}

/** What `beside-jax.mjs` gives. */
interface Beside {
  readonly threads: number;
  /** Workers of jax-js. */
  readonly workers: number;
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
}

/** How long a step takes beside one of jax-js that has as many threads, and beside one that has all cores. */
async function besideJax(): Promise<string[]> {
  const rows: string[][] = [];
  for (const workload of ["W2", "W3"])
    for (const threads of threadCounts) {
      for (const workers of threads === null ? [null] : [threads, null]) {
        const options = JSON.stringify({ workload, threads, workers, turns: workload === "W2" ? 15 : 7 });
        const { ours, theirs, ratio, ...got } = await inPage<Beside>(
          "beside-jax.html",
          `import("/beside-jax.mjs").then(({ besideJax }) => besideJax(${options}))`,
        );
        rows.push([
          workload,
          String(got.threads),
          `${got.workers}${workers === null ? " (its own choice)" : ""}`,
          ours.toFixed(2),
          theirs.toFixed(2),
          ratio.toFixed(3),
        ]);
      }
    }
  return [
    ...table(["workload", "threads", "workers of jax-js", "thaw, ms", "jax-js, ms", "ratio"], rows),
    "",
    "Bars: 0.5 for W2, 0.6 for W3, with as many workers of jax-js as thaw has threads.",
  ];
}

try {
  const { cpu, cores } = thisMachine();
  console.log(`${cpu}, ${cores} cores; Chromium ${browser.version()}\n`);
  for (const line of values["beside-jax"] ? await besideJax() : await fares()) console.log(line);
} finally {
  await browser.close();
  server.close();
}
