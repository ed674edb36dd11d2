import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autoModel } from "thaw/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { settings } from "../../src/base/settings.ts";
import { tinyFolder, tinyTexts } from "../models/tiny-folder.ts";
import { type Outcome, type RunOptions, runThaw } from "./run-thaw.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-finetune-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
const at = (name: string): string => join(top, name);
const thaw = (args: readonly string[], options: Partial<RunOptions> = {}): Promise<Outcome> =>
  runThaw(args, { cwd: top, ...options });

/** A label that would do something on a page, and in a table of Markdown. */
const attack = "<script>alert('a|b')</script>";
const some = "finetune base --data texts.jsonl --val-split 0.2 --batch 4 --epochs 2 --lr 1e-2 --seed 1".split(
  " ",
);
const part = ["--trains", "classifier.**", "--trains", "**.layer.1.**", "--metric", "macro-f1"];

const jsonLines = (file: string): Record<string, never>[] =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(() => {
  settings.backend = "wasm";
  tinyFolder(top);
  const texts = readFileSync(tinyTexts(top), "utf8").replaceAll('"software"', JSON.stringify(attack));
  writeFileSync(at("texts.jsonl"), texts);
});

describe("from a folder and a file to a tuned model, its labels and a page", { timeout: 60_000 }, () => {
  let run: Outcome;
  beforeAll(async () => {
    run = await thaw([...some, ...part, "--out", "tuned", "--onnx", "fp32"]);
  }, 60_000);

  test("it says what it does, and in a pipe nothing else", () => {
    expect(run.stderr).toBe("");
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/^data +texts.jsonl: 48 texts, text from text, labels from label$/m);
    expect(run.stdout).toMatch(/^eval +of texts.jsonl: 12 texts$/m);
    expect(run.stdout).toMatch(/^labels +2: .*24.*, 50.0 %$/m);
    expect(run.stdout).toMatch(/^lengths +median \d+, longest 20 tokens; none is cut at 24$/m);
    expect(run.stdout).toContain("2,258 of 10,002 numbers (22.6 %)");
    expect(run.stdout).toMatch(/^memory +about \d+ KiB/m);
    expect(run.stdout).toMatch(/^time +about /m);
    expect(run.stdout.match(/^epoch \d:/gm)).toEqual(["epoch 1:", "epoch 2:"]);
    expect(run.stdout).toContain("npx thaw predict tuned --data new.jsonl");
    expect(run.stdout).toContain("npx thaw report tuned --out report.html");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is what is tested.
    expect(run.stdout).not.toMatch(/[\r\u001b]/);
  });

  test("what was not named has the bits of the folder that it came from", async () => {
    const [base, tuned] = [await autoModel(at("base")), await autoModel(at("tuned"), { task: "classify" })];
    const bits = async (model: typeof base | typeof tuned, path: string) =>
      Buffer.from((await model.getParameter(path).data()).buffer.slice(0)).toString("hex");
    const paths = base.namedParameters().map(([path]) => path);
    for (const path of paths.filter((path) => !path.startsWith("pooler."))) {
      const isTrained = path.includes("layer.1.");
      const [before, after] = [await bits(base, path), await bits(tuned, `bert.${path}`)];
      if (isTrained && path.endsWith("query.weight")) expect(after).not.toBe(before);
      if (!isTrained) expect(after).toBe(before);
    }
    expect(existsSync(at("tuned/onnx/model.onnx"))).toBe(true);
  });

  test("the card has the numbers of metrics.jsonl, and a header that is YAML", () => {
    const card = readFileSync(at("tuned/README.md"), "utf8");
    const header = parse(card.split("---\n")[1]!);
    expect(header).toMatchObject({ library_name: "transformers", pipeline_tag: "text-classification" });
    const kept = Number(/the weights are those of epoch (\d)/.exec(card)![1]);
    const { metrics } = jsonLines(at("tuned/metrics.jsonl")).find(
      (line) => "trainLoss" in line && line.epoch === kept,
    ) as unknown as { metrics: Record<string, number> };
    const told = header["model-index"][0].results[0].metrics;
    expect(told).toEqual(
      ["loss", "accuracy", "macroF1"].map((name) => ({
        type: name === "macroF1" ? "f1" : name,
        name,
        value: metrics[name],
      })),
    );
    expect(card).toContain(`| accuracy | ${Number(metrics.accuracy!.toPrecision(4))} | 0.5 |`);
    expect(card).toMatch(
      /Not trained, and the same bit for bit: 23 tensors, 7,744 numbers; SHA-256 before and after `[0-9a-f]{64}`/,
    );
    expect(card).not.toContain("<script>");
    expect(card.match(/^\| .*a\\\|b/gm)?.length).toBeGreaterThanOrEqual(2);
  });

  test("predict gives what the library gives, in the order of the texts, from a file and from lines", async () => {
    const texts = jsonLines(at("texts.jsonl")).map(({ text }) => text as string);
    const model = await autoModel(at("tuned"), { task: "classify" });
    const wanted = await model.predict(texts);
    const { stdout, code } = await thaw(["predict", "tuned", "--data", "texts.jsonl"]);
    expect(code).toBe(0);
    const found = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(found.map(({ label }) => label)).toEqual(wanted.map(({ label }) => label));
    for (const [i, { score }] of found.entries()) expect(score).toBeCloseTo(wanted[i]!.score, 5);
    const input = texts.slice(0, 3).join("\n");
    const lines = await thaw(["predict", "tuned", "--data", "-", "--all-scores"], { input });
    const scored = lines.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(scored.map(({ label }) => label)).toEqual(wanted.slice(0, 3).map(({ label }) => label));
    expect(scored[0].scores).toHaveLength(2);
    expect(scored[0].scores[0].score + scored[0].scores[1].score).toBeCloseTo(1, 6);
  });

  test("the report is one page that fetches nothing, with labels that stay text", async () => {
    expect(await thaw(["report", "tuned", "--out", "report.html"])).toMatchObject({ code: 0, stderr: "" });
    const page = readFileSync(at("report.html"), "utf8");
    expect((await thaw(["report", "tuned"])).stdout).toBe(page);
    expect(page).not.toMatch(/<script|https?:|src=|@import|url\(/);
    expect(page).toContain("&lt;script&gt;alert(&#39;a|b&#39;)&lt;/script&gt;");
    expect(page.match(/<svg/g)).toHaveLength(2);
    const rows = page.match(/<tr><td>[\w.]+<\/td><td class="(trained|frozen)".*?<\/tr>/g)!;
    expect(rows).toHaveLength(41);
    expect(rows.filter((row) => row.includes('class="trained"'))).toHaveLength(18);
    expect(page).toContain("23 parameters were never trained");
    expect(page.match(/<td>unchanged<\/td><td>[0-9a-f]{64}<\/td>/g)).toHaveLength(23);
    expect(page).toContain("the option epochs");
  });
});

test("--dry-run says it all and writes nothing", { timeout: 60_000 }, async () => {
  const before = readdirSync(top).sort();
  const { code, stdout } = await thaw([...some, ...part, "--out", "nothing", "--dry-run"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^memory .*\ntime .*\n--dry-run: nothing was trained, and nothing written\n$/m);
  expect(readdirSync(top).sort()).toEqual(before);
});

describe("what is trained, and when", { timeout: 120_000 }, () => {
  const lora = ["--lora", "2", "--lora-alpha", "4", "--frozen-mode", "eval", "--no-keep-prefix"];

  test("an adapter: the folder has it and the head alone, and predict opens it beside the base", async () => {
    const run = await thaw([...some, ...lora, "--out", "adapted"]);
    expect(run).toMatchObject({ code: 0, stderr: "" });
    // Two layers of queries and values of rank 2, and a head of two labels; the pooler is what the folder has.
    expect(run.stdout).toMatch(
      /^trains +all at 0.01: bert.encoder.layer.0.attention.self.query.lora_A\S*, .* and 8 more$/m,
    );
    expect(run.stdout).toContain("an adapter: 290 of");
    expect(run.stdout).toContain("computes in eval mode");
    expect(run.stdout).toContain("frozen layers are run anew in each epoch");
    expect(existsSync(at("adapted/model.safetensors"))).toBe(false);
    expect(JSON.parse(readFileSync(at("adapted/adapter_config.json"), "utf8"))).toMatchObject({
      r: 2,
      lora_alpha: 4,
      target_modules: ["query", "value"],
      modules_to_save: ["classifier"],
      base_model_name_or_path: "base",
      task_type: "SEQ_CLS",
    });
    const card = readFileSync(at("adapted/README.md"), "utf8");
    expect(card).toContain("library_name: peft");
    expect(card).toContain("PeftModel.from_pretrained(base,");
    expect(card).toMatch(/Not trained, and the same bit for bit: 39 tensors/);
    for (const line of [
      "| --lora | 2 |",
      "| --lora-alpha | 4 |",
      "| --frozen-mode | eval |",
      "| --keep-prefix | false |",
    ])
      expect(card).toContain(line);
    const found = await thaw(["predict", "adapted", "--data", "texts.jsonl"]);
    expect(found).toMatchObject({ code: 0, stderr: "" });
    mkdirSync(at("elsewhere"), { recursive: true });
    const beside = await thaw(["predict", at("adapted"), "--data", at("texts.jsonl")], {
      cwd: at("elsewhere"),
    });
    expect(beside.stdout).toBe(found.stdout);
    expect(found.stdout.trim().split("\n")).toHaveLength(60);
    const resumed = await thaw([...some, "--lora", "3", "--out", "adapted", "--resume"]);
    expect(resumed.code).toBe(1);
    expect(resumed.stderr).toMatch(/the adapter default: .*"rank":2.* then, .*"rank":3.* now/);
    expect(resumed.stderr).toMatch(/the option frozenMode: "eval" then, "train" now/);
  });

  test("phases: layer by layer, and the head first", async () => {
    const lower = await thaw([
      ...some.filter((word) => word !== "--lr" && word !== "1e-2"),
      "--gradual-unfreezing",
      "--out",
      "gradual",
    ]);
    expect(lower).toMatchObject({ code: 0, stderr: "" });
    expect(lower.stdout).toMatch(/^phase +from epoch 1: [\d,]+ numbers/m);
    expect(lower.stdout).toMatch(/^phase +from epoch 2: [\d,]+ numbers/m);
    expect(lower.stdout).not.toContain("from epoch 3");
    const card = readFileSync(at("gradual/README.md"), "utf8");
    expect(card).toContain("Trained from epoch 2:");
    // The first layer and the embeddings have not had their turn.
    expect(card).toMatch(/Not trained, and the same bit for bit: \d+ tensors/);
    const first = await thaw([...some, "--head-first", "1", "--out", "first"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toContain("the head for 1 epochs, then all: ");
    expect(readFileSync(at("first/README.md"), "utf8")).toContain("Nothing was frozen");
    expect((await thaw(["report", "first"])).stdout).toContain('class="thawed"');
  });
});

test("Ctrl-C saves, says how to go on, and the end has the bits of a run that was never ended", {
  timeout: 120_000,
}, async () => {
  const args = [...some.filter((word) => word !== "2"), ...part]
    .join(" ")
    .replace("--epochs", "--epochs 30")
    .split(" ");
  for (const name of ["whole", "ended"]) mkdirSync(at(name));
  expect(await thaw([...args, "--out", "whole/tuned"])).toMatchObject({ code: 0 });
  const command = [...args, "--out", "ended/tuned"];
  let isAsked = false;
  const ended = await thaw(command, {
    heard: (stdout, kill) => {
      if (isAsked || !stdout.includes("epoch 3:")) return;
      isAsked = true;
      kill("SIGINT");
    },
  });
  expect(ended.code).toBe(130);
  expect(ended.stderr).toBe(
    "thaw: SIGINT: a checkpoint is saved after the update under way; once more ends at once\n",
  );
  expect(existsSync(at("ended/tuned/model.safetensors"))).toBe(false);
  const again = /Go on with:\n {2}npx thaw (.*)\n$/.exec(ended.stdout)![1]!;
  const words = [...again.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  expect(words).toEqual([...command, "--resume"]);
  expect(await thaw(words)).toMatchObject({ code: 0 });
  for (const name of ["model.safetensors", "metrics.jsonl", "parameters.jsonl", "README.md"])
    expect(
      readFileSync(at(`ended/tuned/${name}`)).equals(readFileSync(at(`whole/tuned/${name}`))),
      name,
    ).toBe(true);
  // Twice: it ends at once, whatever is under way, and the folder is one to go on from.
  const atOnce = [...args, "--out", "twice/tuned"];
  mkdirSync(at("twice"));
  let times = 0;
  const twice = await thaw(atOnce, {
    heard: (stdout, kill) => {
      if (times > 0 || !stdout.includes("epoch 3:")) return;
      while (times++ < 2) kill("SIGINT");
    },
  });
  expect(twice.code).toBe(130);
  expect(twice.stderr.match(/once more ends at once/g)).toHaveLength(1);
  expect(await thaw([...atOnce, "--resume"])).toMatchObject({ code: 0 });
  for (const name of ["model.safetensors", "metrics.jsonl", "parameters.jsonl"])
    expect(
      readFileSync(at(`twice/tuned/${name}`)).equals(readFileSync(at(`whole/tuned/${name}`))),
      name,
    ).toBe(true);
  const refused = await thaw(command);
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(
    /^thaw: fit: out is ended\/tuned, .*give --resume to go on from there, or another folder\n$/,
  );
});

test("other kinds: what finetune makes, predict reads", { timeout: 120_000 }, async () => {
  const words = "dog fox quick lazy brown text editor sound".split(" ");
  const rows = Array.from({ length: 12 }, (_, i) => ({ a: words[i % 8]!, b: words[(i * 3) % 8]! }));
  const file = (name: string, records: readonly object[]): string => {
    writeFileSync(at(name), records.map((record) => JSON.stringify(record)).join("\n"));
    return name;
  };
  const cases: [string, readonly object[], string[], object][] = [
    [
      "several",
      rows.map(({ a }, i) => ({ text: a, labels: i % 3 === 0 ? ["x", "y"] : ["y"] })),
      ["--threshold", "0"],
      { labels: expect.any(Array) },
    ],
    ["number", rows.map(({ a }, i) => ({ text: a, score: i + 0.5 })), [], { value: expect.any(Number) }],
    [
      "tags",
      rows.map(({ a, b }) => ({ tokens: [a, b], tags: ["B-X", "O"] })),
      [],
      { words: [expect.objectContaining({ label: expect.any(String) }), expect.anything()] },
    ],
    ["masked", rows.map(({ a, b }) => ({ text: `${a} [MASK] ${b}` })), [], { masks: [expect.any(Array)] }],
    [
      "pairs",
      rows.map(({ a, b }, i) => ({ anchor: `${a} ${i}`, positive: `${b} ${i}` })),
      ["--text", "anchor"],
      { embedding: expect.any(Array) },
    ],
  ];
  for (const [name, records, more, wanted] of cases) {
    const data = file(`${name}.jsonl`, records);
    const task = name === "masked" ? ["--task", "masked-lm"] : [];
    const made = await thaw([
      "finetune",
      "base",
      "--data",
      data,
      "--eval",
      data,
      "--steps",
      "1",
      "--out",
      name,
      ...task,
    ]);
    expect(made, name).toMatchObject({ code: 0, stderr: "" });
    const options = more.includes("--threshold") || more.includes("--text") ? more : [];
    const found = await thaw(["predict", name, "--data", data, ...options]);
    expect(found, name).toMatchObject({ code: 0, stderr: "" });
    const lines = found.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines, name).toHaveLength(12);
    expect(lines[0], name).toEqual(wanted);
    expect((await thaw(["report", name])).stdout, name).toMatch(/<\/html>\n$/);
  }
});

test("what cannot be is one line with what helps, and wrong options have a status of their own", {
  timeout: 120_000,
}, async () => {
  const data = ["--data", "texts.jsonl"];
  writeFileSync(at("one.jsonl"), '{"text": "a", "label": "same"}\n{"text": "b", "label": "same"}\n');
  const cases: [string[], number, RegExp][] = [
    [["finetune", "base"], 2, /required option '--data <file>' not specified/],
    [["finetune", "base", ...data, "--epochs", "0"], 2, /a whole number of at least 1/],
    [["finetune", "base", ...data, "--task", "guess"], 2, /Allowed choices are classify/],
    [["predict", "tuned"], 2, /required option '--data/],
    [["report"], 2, /missing required argument 'folder'/],
    [["finetune", "base", ...data], 1, /^thaw: --out is not given.*--dry-run\n$/],
    [["finetune", "base", ...data, "--out", "x", "--lr", "much"], 1, /^thaw: --lr much: give a rate.*\n$/],
    [["finetune", "base", ...data, "--out", "x", "--onnx", "q4"], 1, /^thaw: --onnx q4: give fp32, q8.*\n$/],
    [
      ["finetune", "base", ...data, "--out", "x", "--text", "body"],
      1,
      /^thaw: texts.jsonl has no column "body"; it has text, label\n$/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--metric", "entity-f1", "--val-split", "0.2"],
      1,
      /^thaw: fit: --metric is entity-f1; it must be loss, accuracy, macro-f1\n$/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--metric", "macro-f1"],
      1,
      /^thaw: fit: --metric is macro-f1, and no texts to measure with; give --eval or --val-split\n$/,
    ],
    [
      ["finetune", "base", "--data", "one.jsonl", "--out", "x"],
      1,
      /^thaw: fit: the model has 1 label.*; give texts of at least two labels, or --task regress.*\n$/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--max-length", "99"],
      1,
      /^thaw: fit: --max-length is 99; .*up to 24.*\n$/,
    ],
    [["finetune", "base", ...data, "--out", "x", "--trains", "nothing.**"], 1, /^thaw: .*nothing\.\*\*/],
    [
      ["finetune", "base", ...data, "--out", "x", "--lora-alpha", "4"],
      1,
      /^thaw: --lora-alpha is of adapters; give --lora too\n$/,
    ],
    [["finetune", "base", ...data, "--out", "x", "--lora", "0"], 2, /a whole number of at least 1/],
    [
      ["finetune", "base", ...data, "--out", "x", "--lora", "--target-modules", "none"],
      1,
      /^thaw: lora: --target-modules .*none/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--head-first", "1", "--trains", "**"],
      1,
      /^thaw: --trains and --head-first are both given/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--head-first", "3"],
      1,
      /^thaw: --head-first is 3, and there are 3 epochs/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--gradual-unfreezing", "--steps", "9"],
      1,
      /^thaw: --gradual-unfreezing counts epochs/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--frozen-mode", "off"],
      2,
      /Allowed choices are train, eval/,
    ],
    [["finetune", "nowhere", ...data, "--out", "x"], 1, /^thaw: There is no folder nowhere; /],
    [["report", "base"], 1, /^thaw: report: base has no run.json; give the folder/],
    [
      ["predict", "tuned", ...data, "--threshold", "0.5"],
      1,
      /^thaw: predict: --threshold is 0.5, and is for a model that gives a text several labels.*leave it out\n$/,
    ],
    [
      ["predict", "base", ...data, "--all-scores"],
      1,
      /^thaw: predict: --all-scores is true, .*leave it out\n$/,
    ],
    [
      ["finetune", "base", ...data, "--out", "x", "--threshold", "0.5"],
      1,
      /^thaw: fit: --threshold is 0.5, and is for a model that gives a text several labels/,
    ],
    [["predict", "base", "--data", "gone.jsonl"], 1, /^thaw: .*gone.jsonl/],
  ];
  const outcomes = await Promise.all(cases.map(([args]) => thaw(args)));
  for (const [i, [args, code, message]] of cases.entries()) {
    const { code: status, stderr } = outcomes[i]!;
    expect(stderr, args.join(" ")).toMatch(message);
    expect(status, args.join(" ")).toBe(code);
  }
  expect(existsSync(at("x"))).toBe(false);
});
