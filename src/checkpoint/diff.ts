import { ArgumentError } from "../base/errors.ts";
import { findPrefix, findRenamed, type Prefix } from "./diff-names.ts";
import {
  Blocks,
  comparable,
  compareTensors,
  type ElementTest,
  type NamedTensor,
  type TensorChange,
} from "./diff-tensor.ts";
import { isSum } from "./header-sum.ts";
import type { SourceEntry, TensorSource } from "./open.ts";

/** What became of a tensor from one source to another. */
export type DiffKind = "same" | "changed" | "re-typed" | "re-shaped" | "renamed" | "missing" | "added";

/** One tensor in a comparison. */
export interface TensorDiff {
  readonly kind: DiffKind;
  /** Its name in the first source; of one that was added, in the second. */
  readonly name: string;
  /** Its name in the second source, where that is another. */
  readonly to: string | null;
  readonly before: SourceEntry | null;
  readonly after: SourceEntry | null;
  /** Whether elements could be compared: there is one on either side, with as many of them, of dtypes that allow it. */
  readonly compared: boolean;
  /** How elements differ; null where none does, or none could be compared. */
  readonly change: TensorChange | null;
}

/** A comparison of two sources. */
export interface SourceDiff {
  /** In the order of the first source; what was added comes last. */
  readonly tensors: readonly TensorDiff[];
  /** The prefixes by which names were brought together. */
  readonly prefixes: readonly Prefix[];
  /** Names of metadata that differ. */
  readonly metadata: readonly string[];
}

/** Options of `diffTensors`. */
export interface DiffOptions {
  /** Prefixes that stand for each other: the first that a name has counts. Found out where none are given. */
  prefixes?: readonly Prefix[];
  /** Of a tensor of the first source: tells which of its elements to measure on their own too. */
  within?: (name: string) => ElementTest | undefined;
}

/**
 * Compares the tensors of two sources bit by bit, in bounded memory: a few megabytes, and the headers. Throws
 * `ArgumentError` for a prefix that no name has.
 */
export function diffTensors(a: TensorSource, b: TensorSource, options: DiffOptions = {}): SourceDiff {
  const blocks = new Blocks();
  const prefixes = options.prefixes ?? [findPrefix(a, b)].filter((prefix) => prefix !== null);
  for (const { before } of prefixes)
    if (![...a.entries.keys()].some((name) => name.startsWith(before)))
      throw new ArgumentError(`The prefix "${before}" begins no name in A; its tensors are ${someOf(a)}`);
  const pairs = paired(a, b, prefixes);
  const taken = new Set(pairs.values());
  const gone = [...a.entries.keys()].filter((name) => !pairs.has(name));
  const come = [...b.entries.keys()].filter((name) => !taken.has(name));
  const renamed = findRenamed(a, gone, b, come, blocks);
  const found = new Set(renamed.values());
  const unpaired = { to: null, before: null, after: null, compared: false, change: null };
  const tensors = [...a.entries].map(([name, before]): TensorDiff => {
    const to = pairs.get(name);
    if (to !== undefined)
      return compare({ source: a, name }, { source: b, name: to }, blocks, options.within?.(name));
    const other = renamed.get(name);
    if (other === undefined) return { ...unpaired, kind: "missing", name, before };
    const after = b.entries.get(other)!;
    return { kind: "renamed", name, to: other, before, after, compared: true, change: null };
  });
  const added = come
    .filter((name) => !found.has(name))
    .map((name): TensorDiff => ({ ...unpaired, kind: "added", name, after: b.entries.get(name)! }));
  // Checksums differ where what they are of does.
  const keys = new Set([...Object.keys(a.metadata), ...Object.keys(b.metadata)].filter((key) => !isSum(key)));
  return {
    tensors: [...tensors, ...added],
    prefixes,
    metadata: [...keys].filter((key) => a.metadata[key] !== b.metadata[key]),
  };
}

/** Names of the first source to those of the second: with another prefix, or else as they are. */
function paired(a: TensorSource, b: TensorSource, prefixes: readonly Prefix[]): Map<string, string> {
  const pairs = new Map<string, string>();
  const taken = new Set<string>();
  const pair = (name: string, to: string): void => {
    if (!b.entries.has(to) || taken.has(to)) return;
    pairs.set(name, to);
    taken.add(to);
  };
  for (const name of a.entries.keys()) {
    const prefix = prefixes.find(({ before }) => name.startsWith(before));
    if (prefix !== undefined) pair(name, prefix.after + name.slice(prefix.before.length));
  }
  for (const name of a.entries.keys()) if (!pairs.has(name)) pair(name, name);
  return pairs;
}

const someOf = ({ entries }: TensorSource): string =>
  [...entries.keys()].slice(0, 3).join(", ") + (entries.size > 3 ? ", …" : "");

function compare(
  a: NamedTensor,
  b: NamedTensor,
  blocks: Blocks,
  within: ElementTest | undefined,
): TensorDiff {
  const [before, after] = [a.source.entries.get(a.name)!, b.source.entries.get(b.name)!];
  const compared = comparable(a, b);
  const change = compared ? compareTensors(a, b, blocks, within) : null;
  const kind =
    before.dtype !== after.dtype
      ? "re-typed"
      : before.shape.join() !== after.shape.join()
        ? "re-shaped"
        : compared && change === null
          ? "same"
          : "changed";
  return { kind, name: a.name, to: a.name === b.name ? null : b.name, before, after, compared, change };
}
