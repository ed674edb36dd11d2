import { parseJson } from "../../base/bounded-json.ts";
import { ArgumentError, DataError } from "../../base/errors.ts";
import { isFolder, joinPath, namesIn, readFile } from "../../base/storage/index.ts";
import { openTensors } from "../../checkpoint/open.ts";
import type { EpochRecord } from "../../models/fit/fit-result.ts";
import type { EpochParameters } from "../../models/fit/run-parameters.ts";

/** An update, as `metrics.jsonl` has it. */
export interface UpdateLine {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly lr: readonly number[];
}

/** What the folder of a run tells. */
export interface RunFiles {
  readonly folder: string;
  readonly updates: readonly UpdateLine[];
  readonly epochs: readonly EpochRecord[];
  readonly parameters: readonly EpochParameters[];
  /** What the run was begun with, by what that is called. */
  readonly identity: Readonly<Record<string, string>>;
  readonly labels: readonly string[];
  /** Whether the tuned model is there. */
  readonly hasEnded: boolean;
  /** The SHA-256 of what each tensor of the model holds, by path. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Reads the folder of a run. Throws `ArgumentError` for one that is none, `DataError` for files that are broken. */
export function readRun(folder: string): RunFiles {
  const names = isFolder(folder) ? namesIn(folder) : [];
  for (const name of ["run.json", "metrics.jsonl"])
    if (!names.includes(name))
      throw new ArgumentError(
        `report: ${folder} has no ${name}; give the folder that thaw finetune wrote to, or fit as its out`,
      );
  const lines = linesOf<Record<string, unknown>>(folder, "metrics.jsonl");
  const identity = parsed(folder, "run.json", textOf(folder, "run.json")) as Record<string, string>;
  const labels = parseLabels(identity["the model's labels"]);
  const hasEnded = names.includes("model.safetensors");
  return {
    folder,
    updates: lines.filter((line) => "loss" in line && "lr" in line) as unknown as UpdateLine[],
    epochs: lines.filter((line) => "trainLoss" in line) as unknown as EpochRecord[],
    parameters: names.includes("parameters.jsonl")
      ? linesOf<EpochParameters>(folder, "parameters.jsonl")
      : [],
    identity,
    labels,
    hasEnded,
    digests: hasEnded ? digestsOf(joinPath(folder, "model.safetensors")) : new Map(),
  };
}

const textOf = (folder: string, name: string): string =>
  new TextDecoder().decode(readFile(joinPath(folder, name)));

function parsed(folder: string, name: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new DataError(
      `report: ${joinPath(folder, name)} is broken: ${(cause as Error).message}. Let thaw finetune --resume write it anew.`,
      { cause },
    );
  }
}

/** The lines of a file; the last one may be half written by a run that is under way. */
function linesOf<T>(folder: string, name: string): T[] {
  const lines = textOf(folder, name).split("\n").slice(0, -1);
  return lines.map((line) => parsed(folder, name, line) as T);
}

function parseLabels(text: string | undefined): readonly string[] {
  const labels: unknown = JSON.parse(text ?? "[]");
  return Array.isArray(labels) ? labels.map(String) : [];
}

function digestsOf(path: string): Map<string, string> {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const source = openTensors(path);
  const block = new Uint8Array(2 ** 20);
  try {
    return new Map(
      [...source.entries].map(([name, { begin, end }]) => {
        const hash = createHash("sha256");
        for (let from = 0; from < end - begin; from += block.length) {
          const piece = block.subarray(0, Math.min(block.length, end - begin - from));
          source.read(name, piece, from);
          hash.update(piece);
        }
        return [name, hash.digest("hex")];
      }),
    );
  } finally {
    source.close();
  }
}
