import { printable } from "../base/printable.ts";
import { grouped } from "../base/table.ts";
import type { DiffKind, SourceDiff, TensorDiff } from "../checkpoint/diff.ts";
import type { Movement } from "../checkpoint/diff-tally.ts";
import type { SourceEntry } from "../checkpoint/open.ts";
import { fittedTable } from "./fitted-table.ts";

/** What `thaw diff` has found. */
export interface DiffReport {
  /** A and B, as they were given. */
  readonly paths: readonly [string, string];
  /** Whether they are one path. */
  readonly samePath: boolean;
  readonly found: SourceDiff;
  readonly differs: boolean;
  /** What was expected to be frozen, as it was given. */
  readonly selectors: readonly string[];
  /** The tensors that selectors name, each with the text of its region: none where that is all of it. */
  readonly expected: ReadonlyMap<string, string>;
  /** Those of them that are not as they were. */
  readonly moved: readonly TensorDiff[];
  /** Names of those that only B lacks, and that nothing could have moved: buffers. */
  readonly lacked: readonly string[];
}

/** How a report is shown. */
export interface ShowOptions {
  /** Tensors that are the same too. */
  all: boolean;
  /** Ranges of rows of each tensor. */
  rows: number;
  /** Width of the terminal, where there is one. */
  columns: number | undefined;
}

const headings = ["tensor", "is", "elements changed", "bits", "largest change", "L2", "of L2 of A", "rows"];

const fit = { cut: ["tensor", "is", "rows"], drop: ["bits", "L2", "of L2 of A", "elements changed"] };

/** Prints a report as text: a table of what differs, a summary, and what was expected. */
export function showReport(
  { paths, samePath, found, selectors, expected, moved, lacked }: DiffReport,
  { all, rows, columns }: ShowOptions,
  printLine: (line: string) => void,
): void {
  const print = (line: string): void => printLine(printable(line));
  const { tensors, prefixes, metadata } = found;
  if (samePath) print(`A and B are both ${paths[0]}.`);
  for (const { before, after } of prefixes)
    print(`Names that begin with "${before}" in A begin with "${after}" in B.`);
  const shown = tensors.filter(({ kind }) => all || kind !== "same");
  if (shown.length > 0) {
    const cells = shown.map((tensor) => cellsOf(tensor, rows));
    for (const line of fittedTable(headings, cells, { columns, ...fit })) print(line);
    print("");
  }
  print(summary(tensors));
  if (metadata.length > 0)
    print(`Metadata differ: ${metadata.slice(0, 20).join(", ")}${metadata.length > 20 ? ", …" : ""}.`);
  if (selectors.length === 0) return;
  const count = grouped(expected.size);
  const what = `tensor${expected.size === 1 ? "" : "s"} expected to be frozen (${selectors.map((s) => `"${s}"`).join(", ")})`;
  for (const tensor of moved)
    print(`MOVED  ${tensor.name}${expected.get(tensor.name)}: ${movedText(tensor, expected, rows)}`);
  for (const name of lacked) print(`Not in B, and a buffer, which training does not move: ${name}`);
  print(
    moved.length > 0
      ? `${grouped(moved.length)} of ${count} ${what} moved.`
      : `None of ${count} ${what} has moved.`,
  );
}

/** How many tensors are the same, and what the others are. */
function summary(tensors: readonly TensorDiff[]): string {
  const counts = new Map<DiffKind, number>();
  for (const { kind } of tensors) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const same = counts.get("same") ?? 0;
  if (same === tensors.length) return `All ${grouped(same)} tensors are the same, bit for bit.`;
  counts.delete("same");
  const rest = [...counts].map(([kind, count]) => `${grouped(count)} ${kind}`).join(", ");
  return `${grouped(same)} of ${grouped(tensors.length)} tensors are the same, bit for bit; ${rest}.`;
}

function cellsOf(tensor: TensorDiff, rows: number): string[] {
  const { name, change } = tensor;
  if (change === null) return [name, becameText(tensor), "–", "–", "–", "–", "–", ""];
  return [
    name,
    becameText(tensor),
    `${grouped(change.changed)} of ${grouped(change.elements)}`,
    change.bitsChanged === null ? "–" : grouped(change.bitsChanged),
    amount(change.maxChange),
    amount(change.norm),
    amount(change.relative),
    rowsText(change, rows),
  ];
}

/** What became of a tensor, in a few words. */
function becameText(tensor: TensorDiff): string {
  const { kind, to, before, after, compared, change } = tensor;
  const notes: string[] = [];
  const reshaped = before !== null && after !== null && before.shape.join() !== after.shape.join();
  if (kind === "re-typed")
    notes.push(`${before!.dtype} → ${after!.dtype}`, ...(reshaped ? [shapes(before!, after!)] : []));
  else if (reshaped) notes.push(...(kind === "renamed" ? [`renamed to ${to}`] : []), shapes(before, after));
  else notes.push(kind === "renamed" ? `renamed to ${to}` : kind);
  if (kind === "re-typed" && compared)
    notes.push(
      change === null ? "values the same" : change.rounded ? "rounded to nearest" : "values changed",
    );
  if (kind === "re-shaped" && compared && change === null) notes.push("values the same");
  if (change !== null) notes.push(...withoutMeasure(change));
  return notes.join(", ");
}

const shapes = (before: SourceEntry, after: SourceEntry): string => `[${before.shape}] → [${after.shape}]`;

/** Changes that the measures do not show. */
function withoutMeasure({ changed, onlyBits, unmeasured }: Movement): string[] {
  return [
    ...(onlyBits ? [`${onlyBits === changed ? "all" : grouped(onlyBits)} in bits only (±0, NaN)`] : []),
    ...(unmeasured ? [`${grouped(unmeasured)} NaN or infinite on a side`] : []),
  ];
}

/** What moved of a tensor that was to stay as it is. */
function movedText(tensor: TensorDiff, expected: ReadonlyMap<string, string>, rows: number): string {
  const became = becameText(tensor);
  const { kind, change } = tensor;
  if (change === null) return became;
  const part = expected.get(tensor.name) === "" ? change : (change.within ?? change);
  return [
    ...(kind === "changed" ? withoutMeasure(part) : [became]),
    `${grouped(part.changed)} element${part.changed === 1 ? "" : "s"}`,
    ...(part.maxChange === null ? [] : [`by ${amount(part.maxChange)} at most`, `L2 ${amount(part.norm)}`]),
    ...(part.rowsChanged > 0 ? [`rows ${rowsText(part, rows)}`] : []),
  ].join(", ");
}

const amount = (x: number | null): string => (x === null ? "–" : x === 0 ? "0" : x.toPrecision(4));

/** The first ranges of rows, and how many rows there are where that is not all. */
function rowsText({ rows, rowsChanged }: Movement, most: number): string {
  const shown = rows.slice(0, most).map(([from, to]) => (to === from + 1 ? String(from) : `${from}:${to}`));
  if (rows.length <= most) return `[${shown.join(", ")}]`;
  return `[${[...shown, "…"].join(", ")}] ${grouped(rowsChanged)} rows`;
}

/** What `thaw diff --json` prints; `thaw diff --help` describes it. */
export function asJson(
  { paths, found, differs, selectors, expected, moved, lacked }: DiffReport,
  all: boolean,
): object {
  const form = (entry: SourceEntry | null): object | null =>
    entry && { dtype: entry.dtype, shape: entry.shape, file: entry.file };
  return {
    a: paths[0],
    b: paths[1],
    differs,
    same: found.tensors.filter(({ kind }) => kind === "same").length,
    prefixes: found.prefixes,
    metadata: found.metadata,
    expectFrozen:
      selectors.length === 0
        ? null
        : {
            selectors,
            tensors: expected.size,
            lacked,
            moved: moved.map(({ name, kind, change }) => {
              const region = expected.get(name)!;
              return { name, region, kind, change: region === "" ? change : (change?.within ?? null) };
            }),
          },
    tensors: found.tensors
      .filter(({ kind }) => all || kind !== "same")
      .map(({ before, after, ...tensor }) => ({ ...tensor, before: form(before), after: form(after) })),
  };
}
