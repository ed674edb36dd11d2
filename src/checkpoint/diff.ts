import { Blocks, compareTensors, sameBytes, type TensorChange } from "./diff-tensor.ts";
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
  readonly before: Pick<SourceEntry, "dtype" | "shape"> | null;
  readonly after: Pick<SourceEntry, "dtype" | "shape"> | null;
  /** How values differ; null where no bit or value does, or nothing can be compared. */
  readonly change: TensorChange | null;
}

/** A comparison of two sources. */
export interface SourceDiff {
  /** In the order of the first source; what was added comes last. */
  readonly tensors: readonly TensorDiff[];
  /** A prefix that all names of one side have beside the other's, where that was found. */
  readonly prefix: { readonly before: string; readonly after: string } | null;
  /** Names of metadata that differ. */
  readonly metadata: readonly string[];
}

/** Options of `diffTensors`. */
export interface DiffOptions {
  /** Prefixes of names in the first source, and what stands for them in the second; found out where not given. */
  prefix?: { before: string; after: string };
  /** Of a tensor of the first source: says which of its elements are counted where they have changed. */
  counts?: (name: string, shape: readonly number[]) => ((element: number) => boolean) | undefined;
  /** Is told how many bytes of the first source are done. */
  progress?: (done: number, total: number) => void;
}

/** Compares the tensors of two sources, bit by bit, in bounded memory. */
export function diffTensors(a: TensorSource, b: TensorSource, options: DiffOptions = {}): SourceDiff {
  const blocks = new Blocks();
  const prefix = options.prefix ?? commonPrefix([...a.entries.keys()], [...b.entries.keys()]);
  const { before: from, after: to } = prefix ?? { before: "", after: "" };
  const nameInB = (name: string): string | null =>
    name.startsWith(from) ? to + name.slice(from.length) : null;
  const total = [...a.entries.values()].reduce((sum, { begin, end }) => sum + end - begin, 0);
  const taken = new Set<string>();
  const tensors: TensorDiff[] = [];
  let done = 0;
  for (const [name, before] of a.entries) {
    const mapped = nameInB(name);
    const after = mapped === null ? undefined : b.entries.get(mapped);
    if (after === undefined)
      tensors.push({ kind: "missing", name, to: null, before, after: null, change: null });
    else {
      taken.add(mapped!);
      tensors.push(compare([a, name], [b, mapped!], blocks, options.counts?.(name, before.shape)));
    }
    done += before.end - before.begin;
    options.progress?.(done, total);
  }
  const added = [...b.entries.keys()].filter((name) => !taken.has(name));
  const renamed = findRenamed(a, b, tensors, added, blocks);
  return {
    tensors: [
      ...tensors.map((tensor) => renamed.get(tensor) ?? tensor),
      ...added
        .filter((name) => ![...renamed.values()].some(({ to }) => to === name))
        .map((name): TensorDiff => {
          const after = b.entries.get(name)!;
          return { kind: "added", name, to: null, before: null, after, change: null };
        }),
    ],
    prefix: from === to ? null : prefix,
    metadata: [...new Set([...Object.keys(a.metadata), ...Object.keys(b.metadata)])].filter(
      (key) => a.metadata[key] !== b.metadata[key],
    ),
  };
}

function compare(
  left: readonly [TensorSource, string],
  right: readonly [TensorSource, string],
  blocks: Blocks,
  counts: ((element: number) => boolean) | undefined,
): TensorDiff {
  const [before, after] = [left[0].entries.get(left[1])!, right[0].entries.get(right[1])!];
  const told = { name: left[1], to: left[1] === right[1] ? null : right[1], before, after };
  const elements = ({ shape }: SourceEntry): number => shape.reduce((product, size) => product * size, 1);
  if (elements(before) !== elements(after)) return { ...told, kind: "re-shaped", change: null };
  const change = compareTensors(left, right, blocks, counts);
  if (before.dtype !== after.dtype) return { ...told, kind: "re-typed", change };
  if (before.shape.join() !== after.shape.join()) return { ...told, kind: "re-shaped", change };
  return { ...told, kind: change === null ? "same" : "changed", change };
}

/** Missing tensors whose bytes are there under another name. */
function findRenamed(
  a: TensorSource,
  b: TensorSource,
  tensors: readonly TensorDiff[],
  added: readonly string[],
  blocks: Blocks,
): Map<TensorDiff, TensorDiff> {
  const free = new Set(added);
  const found = new Map<TensorDiff, TensorDiff>();
  const formOf = ({ dtype, shape }: Pick<SourceEntry, "dtype" | "shape">): string => `${dtype}[${shape}]`;
  for (const tensor of tensors) {
    if (tensor.kind !== "missing") continue;
    for (const to of free) {
      const after = b.entries.get(to)!;
      if (formOf(after) !== formOf(tensor.before!) || !sameBytes([a, tensor.name], [b, to], blocks)) continue;
      free.delete(to);
      found.set(tensor, { ...tensor, kind: "renamed", to, after });
      break;
    }
  }
  return found;
}

/** The prefix by which most names of one side differ from the other's, where most have no match as they are. */
function commonPrefix(
  namesA: readonly string[],
  namesB: readonly string[],
): { before: string; after: string } | null {
  const [a, b] = [new Set(namesA), new Set(namesB)];
  const matched = namesA.filter((name) => b.has(name)).length;
  const votes = new Map<string, number>();
  const vote = (longer: readonly string[], shorter: ReadonlySet<string>, side: "before" | "after"): void => {
    for (const name of longer)
      for (let at = name.indexOf("."); at >= 0; at = name.indexOf(".", at + 1))
        if (shorter.has(name.slice(at + 1))) {
          const key = `${side}:${name.slice(0, at + 1)}`;
          votes.set(key, (votes.get(key) ?? 0) + 1);
        }
  };
  vote(namesB, a, "after");
  vote(namesA, b, "before");
  const [best] = [...votes].sort((x, y) => y[1] - x[1]);
  if (best === undefined || best[1] <= matched || best[1] * 2 < Math.min(namesA.length, namesB.length))
    return null;
  const [side, prefix] = [best[0].slice(0, best[0].indexOf(":")), best[0].slice(best[0].indexOf(":") + 1)];
  return side === "after" ? { before: "", after: prefix } : { before: prefix, after: "" };
}
