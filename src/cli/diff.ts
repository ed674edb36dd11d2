import { ArgumentError } from "../base/errors.ts";
import { grouped, table } from "../base/table.ts";
import { diffTensors, type SourceDiff, type TensorDiff } from "../checkpoint/diff.ts";
import type { TensorChange } from "../checkpoint/diff-tensor.ts";
import { openTensors, type TensorSource } from "../checkpoint/open.ts";
import { fileProgress } from "./file-progress.ts";

/** Options of `thaw diff`. */
export interface DiffCommandOptions {
  expectFrozen?: readonly string[];
  map?: string;
  json?: boolean;
  all?: boolean;
  /** Ranges of rows shown of each tensor. */
  rows?: number;
}

/** What `thaw diff` found: for the exit status. */
export interface DiffOutcome {
  readonly differs: boolean;
  /** Names of tensors that were expected to be frozen and are not. */
  readonly moved: readonly string[];
}

/** `thaw diff A B`: how the tensors of two safetensors files or folders differ. */
export async function diff(
  pathA: string,
  pathB: string,
  options: DiffCommandOptions,
  print: (line: string) => void,
): Promise<DiffOutcome> {
  const a = openTensors(pathA);
  try {
    const b = openTensors(pathB);
    try {
      return await compare(a, b, [pathA, pathB], options, print);
    } finally {
      b.close();
    }
  } finally {
    a.close();
  }
}

async function compare(
  a: TensorSource,
  b: TensorSource,
  paths: readonly [string, string],
  { expectFrozen = [], map, json = false, all = false, rows = 4 }: DiffCommandOptions,
  print: (line: string) => void,
): Promise<DiffOutcome> {
  const shapes = new Map([...a.entries].map(([name, { shape }]) => [name, shape]));
  // Imported where it is needed: without, nothing of the engine is loaded.
  const expectation =
    expectFrozen.length === 0
      ? null
      : (await import("./expect-frozen.ts")).expectFrozen(expectFrozen, shapes);
  const progress = fileProgress();
  const found = diffTensors(a, b, {
    ...(map !== undefined && { prefix: parseMap(map) }),
    counts: (name) => expectation?.elements(name),
    progress: progress.at,
  });
  progress.end();
  const frozen: FrozenNames = expectation?.names ?? new Map();
  const moved = found.tensors.filter((tensor) => expectation?.moved(tensor));
  const differs = found.tensors.some(({ kind }) => kind !== "same") || found.metadata.length > 0;
  if (json) print(JSON.stringify(asJson(found, frozen, moved, all, paths), null, 2));
  else show(found, frozen, moved, { all, rows, expected: expectFrozen }, print);
  return { differs, moved: moved.map(({ name }) => name) };
}

/** Names of tensors, each with the text of its region. */
type FrozenNames = ReadonlyMap<string, string>;

function parseMap(text: string): { before: string; after: string } {
  const at = text.indexOf("=");
  if (at < 0)
    throw new ArgumentError(
      `--map ${text}: give OLD=NEW, prefixes of names in A and in B; either may be empty`,
    );
  return { before: text.slice(0, at), after: text.slice(at + 1) };
}

function show(
  { tensors, prefix, metadata }: SourceDiff,
  frozen: FrozenNames,
  moved: readonly TensorDiff[],
  { all, rows, expected }: { all: boolean; rows: number; expected: readonly string[] },
  print: (line: string) => void,
): void {
  const shown = tensors.filter(({ kind }) => all || kind !== "same");
  if (prefix !== null)
    print(`Names that begin with "${prefix.before}" in A begin with "${prefix.after}" in B.\n`);
  if (shown.length > 0) {
    const heads = ["tensor", "is", "elements changed", "bits", "largest change", "L2", "of L2 of A", "rows"];
    for (const line of table(
      heads,
      shown.map((tensor) => rowOf(tensor, rows)),
    ))
      print(line);
    print("");
  }
  const same = tensors.filter(({ kind }) => kind === "same").length;
  print(
    same === tensors.length
      ? `All ${grouped(same)} tensors are the same, bit for bit.`
      : `${grouped(same)} of ${grouped(tensors.length)} tensors are the same, bit for bit.`,
  );
  if (metadata.length > 0) print(`Metadata differ: ${metadata.join(", ")}.`);
  if (expected.length === 0) return;
  const what = `${grouped(frozen.size)} tensors expected to be frozen (${expected.map((s) => `"${s}"`).join(", ")})`;
  if (moved.length === 0) print(`None of the ${what} has moved.`);
  for (const { name, kind, change } of moved) {
    const region = frozen.get(name)!;
    const count = region === "" ? change?.changed : change?.counted;
    print(`MOVED  ${name}${region}: ${kind}${count === undefined ? "" : `, ${grouped(count)} elements`}`);
  }
  if (moved.length > 0) print(`${grouped(moved.length)} of the ${what} moved.`);
}

function rowOf({ name, to, kind, before, after, change }: TensorDiff, rows: number): string[] {
  const is =
    kind === "re-typed"
      ? `${before!.dtype} → ${after!.dtype}${change === null ? ", values the same" : ""}`
      : kind === "re-shaped"
        ? `[${before!.shape}] → [${after!.shape}]`
        : kind === "renamed"
          ? `renamed to ${to}`
          : kind;
  return [
    name,
    is,
    ...(change === null
      ? ["–", "–", "–", "–", "–", ""]
      : [
          `${grouped(change.changed)} of ${grouped(change.elements)}`,
          change.bitsChanged === null ? "–" : grouped(change.bitsChanged),
          amount(change.maxChange),
          amount(change.norm),
          amount(change.relative),
          rowsText(change, rows),
        ]),
  ];
}

const amount = (x: number | null): string => (x === null ? "–" : x === 0 ? "0" : x.toPrecision(4));

/** The first ranges of rows, and how many rows there are in all. */
function rowsText({ rows, rowsChanged }: TensorChange, most: number): string {
  const shown = rows.slice(0, most).map(([from, to]) => (to === from + 1 ? String(from) : `${from}:${to}`));
  if (rows.length === 0) return "";
  const more = rows.length > most ? `, … ${grouped(rowsChanged)} rows` : "";
  return `[${shown.join(", ")}${more}]`;
}

/** What `--json` prints. */
function asJson(
  { tensors, prefix, metadata }: SourceDiff,
  frozen: FrozenNames,
  moved: readonly TensorDiff[],
  all: boolean,
  [a, b]: readonly [string, string],
): object {
  const form = (entry: TensorDiff["before"]) => entry && { dtype: entry.dtype, shape: entry.shape };
  return {
    a,
    b,
    same: tensors.filter(({ kind }) => kind === "same").length,
    prefix,
    metadata,
    expectedFrozen: [...frozen.keys()],
    moved: moved.map(({ name }) => name),
    tensors: tensors
      .filter(({ kind }) => all || kind !== "same")
      .map(({ name, to, kind, before, after, change }) => ({
        name,
        to,
        kind,
        before: form(before),
        after: form(after),
        change: change && { ...change, counted: frozen.get(name) ? change.counted : change.changed },
      })),
  };
}
