import { ArgumentError, ThawError } from "../../base/errors.ts";
import { isFolder, joinPath, namesIn, writeText } from "../../base/storage/index.ts";
import { table } from "../../base/table.ts";
import { folderAt } from "../../checkpoint/places/folder-at.ts";
import { intoFolder } from "../../checkpoint/places/sink.ts";
import { autoModel } from "../../models/auto-model.ts";
import { EmbeddingModel } from "../../models/embeddings/embedding-model.ts";
import { preparedFit } from "../../models/fit/fit.ts";
import type { FitResult } from "../../models/fit/fit-result.ts";
import type { EpochEvent } from "../../models/fit/run-events.ts";
import { textBatches } from "../../models/fit/text-batches.ts";
import { readConfig } from "../../models/folder/read-config.ts";
import { type OnnxPrecision, putOnnx } from "../../models/folder/save-onnx.ts";
import type { PretrainedModel } from "../../models/pretrained-model.ts";
import type { Text } from "../../models/text/text-tokenizer.ts";
import type { TextDataset } from "../../models/text-data/text-dataset.ts";
import { manualSeed } from "../../tensor/draws.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { shellWords } from "../shell-words.ts";
import { addLora, checkLora } from "./adapters.ts";
import { baselineOf, besideOthers } from "./baseline.ts";
import { digestOfFile, digestOfParameters } from "./digests.ts";
import { Interrupted, Interrupts } from "./interrupts.ts";
import { modelCard } from "./model-card.ts";
import { type FinetuneOptions, fitOptionsOf, inWordsOfOptions, onnxOf } from "./options.ts";
import { metricsText, type Planned, sayPlan } from "./say-plan.ts";
import { checkSchedule, phasesOf } from "./schedule.ts";
import { readTexts } from "./texts.ts";
import { versions } from "./versions.ts";

/**
 * `thaw finetune`: tunes the model of a folder on a file of texts, having said what it will do. Gives the exit status.
 */
export async function finetune(
  folder: string,
  options: FinetuneOptions,
  print: (line: string) => void,
): Promise<number> {
  try {
    await tune(folder, options, print);
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      print(goOn(options.out!));
      return error.status;
    }
    if (error instanceof ThawError) error.message = inWordsOfOptions(error.message);
    throw error;
  }
}

async function tune(folder: string, options: FinetuneOptions, print: (line: string) => void): Promise<void> {
  const { out, dryRun = false, seed = 0 } = options;
  if (out === undefined && !dryRun)
    throw new ArgumentError(
      "--out is not given, and nowhere to put the tuned model; give a folder, or --dry-run",
    );
  const [onnx, fitOptions] = [onnxOf(options), fitOptionsOf(options)];
  checkLora(options);
  checkSchedule(options);
  const config = await readConfig(folderAt(folder));
  const texts = await readTexts(options, config);
  const { train, eval: held, task, labels } = texts;
  manualSeed(seed);
  const model = (await autoModel(folder, {
    task,
    ...(labels !== null && task !== "regress" ? { labels } : {}),
  })) as PretrainedModel<Tensor>;
  addLora(model, options);
  const phases = phasesOf(model, options, fitOptions.lr);
  const interrupts = new Interrupts();
  const run = preparedFit(model, {
    ...fitOptions,
    ...(phases === null ? {} : { trains: phases }),
    train,
    ...(held === null ? {} : { eval: held }),
    // Signals are heard where the event loop turns.
    onStep: () => new Promise<void>((resolve) => setImmediate(resolve)),
    onEpoch: (event) => sayEpoch(event, print),
    signal: interrupts.signal,
  });
  const { maxLength } = textBatches("fit", model, options.maxLength);
  const plan = await run.plan();
  const planned: Planned = {
    files: { data: options.data, eval: options.eval ?? null },
    texts,
    plan,
    baseline: held === null ? null : baselineOf(train, held),
    maxLength,
    cut: cutOf(train, model, plan.lengths, maxLength),
    trains: trainsText(options),
    frozenMode: options.frozenMode ?? "train",
    keepsPrefix: options.keepPrefix ?? true,
  };
  sayPlan(planned, print);
  if (dryRun) return print("--dry-run: nothing was trained, and nothing written");
  print("");
  const trained = new Set(plan.phases.flatMap(({ paths }) => paths));
  const frozen = new Set(plan.parameters.map(({ path }) => path).filter((path) => !trained.has(path)));
  const before = digestOfParameters(model, frozen);
  const result = await interrupts.during(() => run.toTheEnd());
  await saveForOthers(model, out!, onnx);
  const card = modelCard({
    name: nameOf(out!),
    base: { folder, config, weights: weightsOf(folder) },
    data: fileOf(options.data),
    eval: options.eval === undefined ? null : fileOf(options.eval),
    planned,
    options,
    run: result,
    frozen: { before, after: digestOfParameters(model, frozen), tensors: frozen.size },
    onnx,
    versions: versions(),
  });
  writeText(joinPath(out!, "README.md"), card);
  sayEnd(result, planned, options, print);
}

/** What is trained, in a few words. */
function trainsText({ trains, lora, gradualUnfreezing, headFirst }: FinetuneOptions): string[] {
  if (gradualUnfreezing !== undefined) return ["gradual unfreezing"];
  if (headFirst !== undefined) return [`the head for ${headFirst} epochs, then all`];
  return lora === undefined ? [...(trains ?? ["**"])] : ["an adapter", ...(trains ?? [])];
}

/** The last name of a path. */
const nameOf = (path: string): string => {
  const { basename, resolve } = process.getBuiltinModule("node:path");
  return basename(resolve(path));
};

/** How many texts are cut: of those that are as long as may be, the ones that would be longer. */
function cutOf(
  train: TextDataset,
  model: PretrainedModel<Tensor>,
  lengths: readonly number[],
  maxLength: number,
): number {
  const { row } = textBatches("fit", model, maxLength);
  const isEmbedding = model instanceof EmbeddingModel;
  return train.examples.filter(({ text }, i) => {
    if (lengths[i]! < maxLength) return false;
    return isEmbedding && Array.isArray(text)
      ? (text as string[]).some((one) => row(one).isTruncated)
      : row(text as Text).isTruncated;
  }).length;
}

/** Writes what other programs than Python's open: of an embedding model its encoder, whose tokens they pool themselves. */
async function saveForOthers(
  model: PretrainedModel<Tensor>,
  out: string,
  onnx: readonly OnnxPrecision[],
): Promise<void> {
  const encoder = model instanceof EmbeddingModel ? model.model : model;
  await intoFolder("finetune", out, (sink) => putOnnx(encoder, sink, onnx));
}

const fileOf = (path: string) => ({ name: nameOf(path), sha256: digestOfFile(path) });

const weightsOf = (folder: string) =>
  namesIn(folder)
    .filter((name) => name.endsWith(".safetensors"))
    .sort()
    .map((name) => fileOf(joinPath(folder, name)));

function sayEpoch({ epoch, step, trainLoss, metrics }: EpochEvent, print: (line: string) => void): void {
  // On a terminal it takes the place of the line that tells how it goes.
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K");
  const measured = metrics === null ? "" : `; eval ${metricsText(metrics)}`;
  print(`epoch ${epoch}: ${step} updates, train loss ${trainLoss.toFixed(4)}${measured}`);
}

/** Says how well it went, beside what no reading would give, and how to use it. */
function sayEnd(
  run: FitResult,
  { baseline }: Planned,
  options: FinetuneOptions,
  print: (line: string) => void,
): void {
  print("");
  if (run.metrics !== null) {
    const text = (value: unknown): string => (typeof value === "number" ? value.toFixed(4) : "–");
    const { names, rows } = besideOthers(run, baseline);
    const cells = rows.map(([name, ...values]) => [name, ...values.map(text)]);
    for (const line of table([`epoch ${run.epoch}`, "tuned", ...names], cells)) print(line);
    print("");
  }
  const { out, maxLength } = options;
  print(`The tuned model and its card (README.md) are in ${out}. Use it, and see how it went:`);
  print(
    `  ${shellWords(["npx", "thaw", "predict", out!, "--data", "new.jsonl", ...(maxLength === undefined ? [] : ["--max-length", String(maxLength)])])}`,
  );
  print(`  ${shellWords(["npx", "thaw", "report", out!, "--out", "report.html"])}`);
}

/** How to go on with a run that was interrupted. */
function goOn(out: string): string {
  const checkpoints = joinPath(out, "checkpoints");
  const isSaved = isFolder(checkpoints) && namesIn(checkpoints).some((name) => name.endsWith(".safetensors"));
  const words = process.argv.slice(2).filter((word) => word !== "--resume");
  return isSaved
    ? `A checkpoint is saved. Go on with:\n  ${shellWords(["npx", "thaw", ...words, "--resume"])}`
    : "Nothing had been trained, and nothing is saved.";
}
