import { ArgumentError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { isFolder, namesIn } from "../base/storage/index.ts";
import { openFileAt } from "../checkpoint/places/file.ts";
import { folderAt } from "../checkpoint/places/folder-at.ts";
import { autoModel, type Task } from "../models/auto-model.ts";
import { EmbeddingModel } from "../models/embeddings/embedding-model.ts";
import { kindOf } from "../models/fit/objectives/kind-of.ts";
import { refuseOptionsOfOtherKinds } from "../models/fit/objectives/options-of-kinds.ts";
import type { PredictOptions } from "../models/fit/predict.ts";
import { readConfig } from "../models/folder/read-config.ts";
import type { PretrainedModel } from "../models/pretrained-model.ts";
import type { Text } from "../models/text/text-tokenizer.ts";
import { columnsOf } from "../models/text-data/columns.ts";
import { textOf } from "../models/text-data/read-data.ts";
import { recordsOf } from "../models/text-data/records.ts";
import { inWordsOfOptions } from "./finetune/options.ts";

/** Options of `thaw predict`. */
export interface PredictCommandOptions {
  readonly data: string;
  readonly text?: readonly string[];
  readonly batch: number;
  readonly maxLength?: number;
  readonly threshold?: number;
  readonly allScores?: boolean;
}

/** Texts of a file that go through the model together, in batches of like lengths. */
const batchesTogether = 16;

/** `thaw predict`: prints what a model finds for each text, as texts are read. */
export async function predictTexts(
  folder: string,
  options: PredictCommandOptions,
  print: (line: string) => void,
): Promise<void> {
  const { data, text, batch } = options;
  const task = await taskOf(folder);
  const model = (await autoModel(folder, { task })) as PretrainedModel;
  const [texts, size] =
    data === "-" ? [linesOfInput(), batch] : [textsOf(data, text), batch * batchesTogether];
  try {
    refuseOptionsOfOtherKinds("predict", kindOf("predict", model), options);
    for await (const some of together(texts, size))
      for (const found of await foundBy(model, task, some, options)) {
        print(printable(JSON.stringify(found)));
        // What reads the lines may be slower than this.
        if (process.stdout.writableNeedDrain)
          await new Promise((resolve) => process.stdout.once("drain", resolve));
      }
  } catch (error) {
    if (error instanceof Error) error.message = inWordsOfOptions(error.message);
    throw error;
  }
}

/** What PEFT calls what an adapter is for. */
const taskTypes: Readonly<Record<string, Task>> = { SEQ_CLS: "classify", TOKEN_CLS: "tag" };

/** What a folder's model is for. A folder of adapters that thaw has not written has no config of a model. */
async function taskOf(folder: string): Promise<Task> {
  const names = isFolder(folder) ? namesIn(folder) : [];
  if (names.includes("modules.json")) return "embed";
  if (names.includes("adapter_config.json") && !names.includes("config.json")) {
    const { task_type: type } = await readConfig(folderAt(folder), "adapter_config.json");
    const task = Object.hasOwn(taskTypes, String(type)) ? taskTypes[String(type)] : undefined;
    if (task !== undefined) return task;
    throw new ArgumentError(
      `predict: ${folder} is an adapter whose task_type is ${JSON.stringify(type ?? null)}, and has no config.json that says what it is for; put the config.json of its model beside it`,
    );
  }
  const { architectures } = await readConfig(folderAt(folder));
  const name = String(Array.isArray(architectures) ? architectures[0] : "");
  if (name.endsWith("ForSequenceClassification")) return "classify";
  if (name.endsWith("ForTokenClassification")) return "tag";
  return name.endsWith("ForMaskedLM") ? "maskedLM" : "embed";
}

/** The texts of a file, one after the other. */
async function* textsOf(path: string, columns: readonly string[] | undefined): AsyncGenerator<Text> {
  let found: readonly string[] | null = null;
  for await (const record of recordsOf(path, await openFileAt(path, {}))) {
    found ??= columnsOf(path, [record], columns, null).text;
    yield textOf(path, record, found);
  }
}

/** Lines of standard input, each of which is a text. */
function linesOfInput(): AsyncIterable<string> {
  const { createInterface } = process.getBuiltinModule("node:readline");
  return createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
}

async function* together(texts: Iterable<Text> | AsyncIterable<Text>, size: number): AsyncGenerator<Text[]> {
  let some: Text[] = [];
  for await (const text of texts) {
    some.push(text);
    if (some.length < size) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

/** What a model finds for texts, as an object for each. */
async function foundBy(
  model: PretrainedModel,
  task: Task,
  texts: readonly Text[],
  { batch, maxLength, threshold, allScores = false }: PredictCommandOptions,
): Promise<object[]> {
  const common = { batch, ...(maxLength === undefined ? {} : { maxLength }) };
  if (model instanceof EmbeddingModel) {
    const embeddings = await model.encode(texts as readonly string[], common);
    const [values, [, size]] = [await embeddings.data(), embeddings.shape as [number, number]];
    return texts.map((_, i) => ({ embedding: Array.from(values.subarray(i * size, (i + 1) * size)) }));
  }
  const options: PredictOptions = { ...common, allScores, ...(threshold === undefined ? {} : { threshold }) };
  const found = (await model.predict(texts, options)) as object[];
  if (task === "tag") return found.map((words) => ({ words }));
  return task === "maskedLM" ? found.map((masks) => ({ masks })) : found;
}
