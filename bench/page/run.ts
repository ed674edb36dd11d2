import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { servePage } from "../../scripts/serve.ts";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";

const usage = `npm run bench:page -- [options]    how a page fares in which thaw trains

  --seconds 10      how long each workload trains
  --threads 1,3     threads of the wasm backend
  --chromium PATH   the browser`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    threads: { type: "string", default: "1,3" },
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
  readonly firstStep: number;
  readonly joined: number | null;
  readonly stepsPerSecond: number;
  readonly ofUnyielding: number;
  readonly framesPerSecond: number;
  readonly longestTask: number;
}

const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = values.chromium ?? paths.find(existsSync);
if (executablePath === undefined) throw new Error("No Chromium is found: name one with --chromium PATH");
const server = await servePage("bench/page");
const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const version = browser.version();
const rows: string[][] = [];
try {
  for (const [workload, where] of [
    ["W2", "page"],
    ["encoder", "worker"],
  ] as const)
    for (const threads of values.threads.split(",").map(Number)) {
      const page = await browser.newPage();
      await page.goto(server.url);
      const options = JSON.stringify({ workload, threads, seconds: Number(values.seconds) });
      // As text: what compiles this file must not touch the page's code.
      const got = (await page.evaluate(
        `import("/measure.mjs").then(({ measure }) => measure("${where}", ${options}))`,
      )) as Measured;
      await page.close();
      const joined =
        threads === 1 ? "–" : got.joined === null ? "never" : `${(got.joined / 1000).toFixed(2)} s`;
      rows.push([
        workload,
        where,
        String(threads),
        `${got.firstStep.toFixed(0)} ms`,
        joined,
        got.framesPerSecond.toFixed(1),
        `${got.longestTask.toFixed(0)} ms`,
        got.stepsPerSecond.toFixed(1),
        got.ofUnyielding.toFixed(2),
      ]);
    }
} finally {
  await browser.close();
  server.close();
}
const { cpu, cores } = thisMachine();
console.log(`${cpu}, ${cores} cores; Chromium ${version}\n`);
for (const line of table(
  [
    "workload",
    "in",
    "threads",
    "first step",
    "workers joined",
    "frames/s",
    "longest task",
    "steps/s",
    "of unyielding",
  ],
  rows,
))
  console.log(line);
console.log(
  "\nBars: 50 frames/s; no task above 50 ms; workers joined within 1 s; 0.75 of the unyielding speed.",
);
