import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";
import { median } from "../median.ts";

const help = `npm run bench:start -- [options]

  --rounds 5         processes of each kind; the figure is the median
  --json             figures as JSON

From the start of a process to the end of the first training step, with an empty cache of kernels and with a
warm one; what another batch size and another frozen set compile; and all recorded runs replayed with an empty cache.
`;

interface FirstStep {
  readonly backend: string;
  readonly firstStepMs: number;
  readonly kernels: number;
  readonly otherBatch?: number;
  readonly otherSet?: number;
}

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
}

const script = fileURLToPath(new URL("./first-step.mjs", import.meta.url));
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const recorded = fileURLToPath(new URL("../../test/oracle/replay.json.gz", import.meta.url));

/** Runs Node with a folder of kernels. */
const node = (cache: string, ...args: string[]): string =>
  execFileSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, THAW_CACHE: cache },
    stdio: ["ignore", "pipe", "inherit"],
  });

/** The last line that a process prints, as JSON. */
const firstStep = (cache: string, ...args: string[]): FirstStep =>
  JSON.parse(
    node(cache, script, ...args)
      .trim()
      .split("\n")
      .at(-1)!,
  ) as FirstStep;

/** Runs `use` with an empty folder. */
function inEmptyFolder<T>(use: (cache: string) => T): T {
  const cache = mkdtempSync(join(tmpdir(), "thaw-start-"));
  try {
    return use(cache);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

function measure(rounds: number): { backend: string; figures: Figure[] } {
  const figures: Figure[] = [];
  let backend = "";
  for (const workload of ["W2", "W3"]) {
    const pairs = Array.from({ length: rounds }, () =>
      inEmptyFolder((cache) => [firstStep(cache, workload), firstStep(cache, workload)] as const),
    );
    backend = pairs[0]![0].backend;
    const add = (what: string, value: number, unit: string, bar: number | null) =>
      figures.push({ what: `${workload}: ${what}`, value, unit, bar });
    const seconds = (at: 0 | 1) => median(pairs.map((pair) => pair[at].firstStepMs)) / 1000;
    const isW3 = workload === "W3";
    add("first step, empty cache", seconds(0), "s", isW3 ? 2 : null);
    add("first step, warm cache", seconds(1), "s", isW3 ? 0.3 : null);
    add("kernels compiled by the first step", pairs[0]![0].kernels, "", null);
    const more = inEmptyFolder((cache) => firstStep(cache, workload, "--more"));
    add("kernels that another batch size adds", more.otherBatch!, "", 0);
    add("kernels that another frozen set adds", more.otherSet!, "", 0);
  }
  const start = performance.now();
  inEmptyFolder((cache) => node(cache, main, "replay", recorded));
  const value = (performance.now() - start) / 1000;
  figures.push({ what: "replay of all cases, empty cache", value, unit: "s", bar: 60 });
  return { backend, figures };
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(help);
else {
  const machine = thisMachine();
  const { backend, figures } = measure(Math.max(1, Number(values.rounds) || 1));
  if (values.json) process.stdout.write(`${JSON.stringify({ machine, backend, figures }, null, 2)}\n`);
  else {
    const rows = figures.map(({ what, value, unit, bar }) => [
      what,
      `${Number(value.toPrecision(3))}`,
      unit,
      bar === null ? "–" : `≤ ${bar}`,
      bar === null ? "" : value <= bar ? "held" : "NOT HELD",
    ]);
    process.stdout.write(
      `${machine.cpu}, ${machine.cores} cores; Node ${process.version}, ${backend}\n\n${table(["what", "measured", "", "bar", ""], rows).join("\n")}\n`,
    );
  }
}
