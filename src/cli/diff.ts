import { ArgumentError } from "../base/errors.ts";
import { diffTensors } from "../checkpoint/diff.ts";
import type { Prefix } from "../checkpoint/diff-names.ts";
import type { TensorSource } from "../checkpoint/open.ts";
import { asJson, type DiffReport, showReport } from "./diff-report.ts";
import { withSource } from "./with-source.ts";

/** Options of `thaw diff`. */
export interface DiffCommandOptions {
  expectFrozen?: readonly string[];
  /** `OLD=NEW`, prefixes of names in A and in B. */
  map?: readonly string[];
  json?: boolean;
  /** Show tensors that are the same too. */
  all?: boolean;
  /** Ranges of rows shown of each tensor. */
  rows?: number;
  /** Width of the terminal; without, nothing is cut to fit. */
  columns?: number | undefined;
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
  const { json = false, all = false, rows = 4, columns } = options;
  // Only of paths: two revisions of a model may well be links to one file.
  const { resolve } = process.getBuiltinModule("node:path");
  const samePath = resolve(pathA) === resolve(pathB);
  if (samePath && options.expectFrozen !== undefined)
    throw new ArgumentError(
      `A and B are both ${pathA}, which cannot show what has moved: give the checkpoint before training and the one after`,
    );
  const report = await withSource(pathA, { progress: true }, (a) =>
    withSource(pathB, { progress: false }, (b) =>
      compare(a, b, { paths: [pathA, pathB], samePath }, options),
    ),
  );
  if (json) print(JSON.stringify(asJson(report, all), null, 2));
  else showReport(report, { all, rows, columns }, print);
  return { differs: report.differs, moved: report.moved.map(({ name }) => name) };
}

async function compare(
  a: TensorSource,
  b: TensorSource,
  what: Pick<DiffReport, "paths" | "samePath">,
  { expectFrozen = [], map }: DiffCommandOptions,
): Promise<DiffReport> {
  const shapes = new Map([...a.entries].map(([name, { shape }]) => [name, shape]));
  // Imported where it is needed: without, nothing of the engine is loaded.
  const expectation =
    expectFrozen.length === 0
      ? null
      : (await import("./expect-frozen.ts")).expectFrozen(expectFrozen, shapes);
  const found = diffTensors(a, b, {
    ...(map !== undefined && { prefixes: map.map(parseMap) }),
    within: (name) => expectation?.elements(name),
  });
  return {
    ...what,
    found,
    differs: found.tensors.some(({ kind }) => kind !== "same") || found.metadata.length > 0,
    selectors: expectFrozen,
    expected: expectation?.names ?? new Map(),
    moved: found.tensors.filter((tensor) => expectation?.moved(tensor)),
    lacked: found.tensors.filter((tensor) => expectation?.lacked(tensor)).map(({ name }) => name),
  };
}

function parseMap(text: string): Prefix {
  const at = text.indexOf("=");
  if (at < 0)
    throw new ArgumentError(
      `--map ${text}: give OLD=NEW, prefixes of names in A and in B; either may be empty`,
    );
  return { before: text.slice(0, at), after: text.slice(at + 1) };
}
