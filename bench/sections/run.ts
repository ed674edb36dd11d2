import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { table } from "../../src/base/table.ts";
import { readData } from "../../src/models/text-data/read-data.ts";
import { thisMachine } from "../machine.ts";
import { bootstrap, type Interval, macroF1 } from "./statistics.ts";

const help = `npm run bench:sections -- --model FOLDER [options]

  --model FOLDER     MiniLM with its tokenizer (npx tsx scripts/minilm.ts puts it into examples/data/minilm)
  --trains last      the head, the pooler and the last layer; or all
  --rate 1e-4        of what is below the head, whose own is 1e-3
  --epochs 3         of 2,400 descriptions of Debian packages, of ten sections; 600 others are the test
  --seeds 1,2,3,4,5  trainings of each
  --python PATH      a Python with torch 2.13, transformers 5 and onnxruntime; python3 unless given
  --json             figures as JSON

How well a tuned classifier does beside one that transformers has tuned with the same options, and its ONNX files beside
it: macro-F1 in percent, a mean over seeds, with the interval of 95 % over the texts of the test.
`;

const run = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const lastLine = ({ stdout }: { stdout: string }) => JSON.parse(stdout.trim().split("\n").at(-1)!);

/** What each way of classifying says of the texts of the test, one list a seed. */
type Said = Record<"thaw" | "transformers" | "fp32" | "q8", string[][]>;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      trains: { type: "string", default: "last" },
      rate: { type: "string", default: "1e-4" },
      epochs: { type: "string", default: "3" },
      seeds: { type: "string", default: "1,2,3,4,5" },
      python: { type: "string", default: "python3" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || values.model === undefined) return void process.stdout.write(help);
  const { model, trains, rate, epochs, python } = values;
  const top = mkdtempSync(join(tmpdir(), "thaw-sections-"));
  const said: Said = { thaw: [], transformers: [], fp32: [], q8: [] };
  const seconds = { thaw: 0, transformers: 0 };
  try {
    const { train, test } = await readData(here("../../examples/data/packages.jsonl"), {
      text: "description",
      label: "section",
      split: { test: 0.2, stratify: true, seed: 1 },
    });
    const labelOf = (target: unknown): string => test.labels[target as number]!;
    const lines = ({ examples }: typeof test) =>
      examples.map(({ text, target }) => JSON.stringify({ text, label: labelOf(target) })).join("\n");
    const files = { train: join(top, "train.jsonl"), test: join(top, "test.jsonl") };
    writeFileSync(files.train, lines(train));
    writeFileSync(files.test, lines(test));
    const truth = test.examples.map(({ target }) => labelOf(target));
    for (const seed of values.seeds.split(",")) {
      const out = join(top, `seed-${seed}`);
      const options = Object.entries({ model, ...files, out, trains, rate, epochs, seed }).flatMap(
        ([k, v]) => [`--${k}`, v],
      );
      const own = lastLine(await run(process.execPath, [here("fit.mjs"), ...options], { env: oneThread }));
      said.thaw.push(own.predicted);
      const theirs = lastLine(await run(python, [here("trainer.py"), ...options], { maxBuffer: 2 ** 26 }));
      said.transformers.push(theirs.predicted);
      const exported = lastLine(
        await run(python, [here("onnx_files.py"), "--folder", out, "--test", files.test]),
      );
      said.fp32.push(exported.model);
      said.q8.push(exported.model_quantized);
      seconds.thaw += own.fitMs / 1000;
      seconds.transformers += theirs.fitMs / 1000;
      if (process.stderr.isTTY) process.stderr.write(`seed ${seed}: ${own.fitMs} and ${theirs.fitMs} ms\n`);
    }
    print(figures(truth, said), seconds, values);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

const oneThread = { ...process.env, THAW_THREADS: "1" };

interface Row {
  readonly what: string;
  readonly interval: Interval;
}

function figures(truth: readonly string[], said: Said): Row[] {
  const mean = (lists: readonly string[][], chosen: readonly number[]) =>
    lists.reduce((sum, list) => sum + macroF1(truth, list, chosen), 0) / lists.length;
  const of = (what: string, figure: (chosen: readonly number[]) => number): Row => ({
    what,
    interval: bootstrap(truth.length, figure),
  });
  return [
    of("thaw", (chosen) => mean(said.thaw, chosen)),
    of("transformers", (chosen) => mean(said.transformers, chosen)),
    of("thaw less transformers", (chosen) => mean(said.thaw, chosen) - mean(said.transformers, chosen)),
    of("fp32 in ONNX Runtime less thaw", (chosen) => mean(said.fp32, chosen) - mean(said.thaw, chosen)),
    of("q8 less fp32, in ONNX Runtime", (chosen) => mean(said.q8, chosen) - mean(said.fp32, chosen)),
  ];
}

function print(rows: readonly Row[], seconds: object, { json, ...options }: { json: boolean }): void {
  if (json)
    return void console.log(JSON.stringify({ machine: thisMachine(), options, seconds, rows }, null, 2));
  const cells = rows.map(({ what, interval: { mean, low, high } }) => [
    what,
    mean.toFixed(2),
    `${low.toFixed(2)} to ${high.toFixed(2)}`,
  ]);
  for (const line of table(["macro-F1, %", "mean", "95 %"], cells)) console.log(line);
  console.log(`seconds of training: ${JSON.stringify(seconds)}`);
}

await main();
