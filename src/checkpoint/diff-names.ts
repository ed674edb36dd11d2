import { hashBytes } from "../base/hash.ts";
import type { NamedTensor } from "./diff-tensor.ts";
import { type Blocks, sameBytes } from "./diff-tensor.ts";
import type { TensorSource } from "./open.ts";

/** A prefix of names in the first source, and what stands for it in the second; either may be empty. */
export interface Prefix {
  readonly before: string;
  readonly after: string;
}

/** Prefixes of more segments are not looked for. */
const maxSegments = 8;
/** Of each side, how many prefixes are tried. */
const maxPrefixes = 12;

/**
 * The prefix by which names of one source differ from the other's, as `module.` or `base_model.model.`: the one that
 * brings most tensors of one shape together, at least half of the smaller source, and more than names as they are do.
 * Null where there is none.
 */
export function findPrefix(a: TensorSource, b: TensorSource): Prefix | null {
  const smaller = Math.min(a.entries.size, b.entries.size);
  let [most, found] = [matches(a, b, { before: "", after: "" }), null as Prefix | null];
  if (most === smaller) return null;
  for (const before of prefixesOf(a, smaller / 2))
    for (const after of prefixesOf(b, smaller / 2)) {
      const count = before === after ? 0 : matches(a, b, { before, after });
      if (count > most && 2 * count >= smaller) [most, found] = [count, { before, after }];
    }
  return found;
}

function matches(a: TensorSource, b: TensorSource, { before, after }: Prefix): number {
  let count = 0;
  for (const [name, { shape }] of a.entries) {
    const other = name.startsWith(before) ? b.entries.get(after + name.slice(before.length)) : undefined;
    if (other !== undefined && other.shape.join() === shape.join()) count++;
  }
  return count;
}

/** The prefixes that at least so many names have: none, and those that end in a dot; short ones first. */
function prefixesOf({ entries }: TensorSource, least: number): string[] {
  const counts = new Map<string, number>();
  for (const name of entries.keys()) {
    let at = name.indexOf(".");
    for (let segments = 0; at >= 0 && segments < maxSegments; segments++) {
      const prefix = name.slice(0, at + 1);
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
      at = name.indexOf(".", at + 1);
    }
  }
  const shared = [...counts].filter(([, count]) => count >= least).sort(([, x], [, y]) => y - x);
  const prefixes = shared.slice(0, maxPrefixes).map(([prefix]) => prefix);
  return ["", ...prefixes.sort((x, y) => x.length - y.length)];
}

/**
 * Tensors that went, each with one that came and has the same dtype and bytes: by size, then by a hash of what is in
 * them, then by the bytes themselves. Names of the first source to names of the second; empty tensors are left out.
 */
export function findRenamed(
  a: TensorSource,
  gone: readonly string[],
  b: TensorSource,
  come: readonly string[],
  blocks: Blocks,
): Map<string, string> {
  const sizes = new Set(gone.map((name) => sizeOf(a, name)));
  const free = new Map<string, string[]>();
  for (const name of come.filter((name) => sizes.has(sizeOf(b, name)))) {
    const key = contentOf({ source: b, name }, blocks);
    const alike = free.get(key);
    if (alike === undefined) free.set(key, [name]);
    else alike.push(name);
  }
  const taken = new Set([...free.keys()].map((key) => key.slice(0, key.indexOf(" "))));
  const renamed = new Map<string, string>();
  for (const name of gone) {
    if (!taken.has(sizeOf(a, name))) continue;
    const alike = free.get(contentOf({ source: a, name }, blocks)) ?? [];
    const at = alike.findIndex((to) => sameBytes({ source: a, name }, { source: b, name: to }, blocks));
    if (at >= 0) renamed.set(name, alike.splice(at, 1)[0]!);
  }
  return renamed;
}

/** Dtype and bytes, without a space. */
function sizeOf({ entries }: TensorSource, name: string): string {
  const { dtype, begin, end } = entries.get(name)!;
  return `${dtype}:${end - begin}`;
}

/** Size, and a hash of the bytes. */
function contentOf({ source, name }: NamedTensor, { a: block }: Blocks): string {
  const { begin, end } = source.entries.get(name)!;
  let hash = "";
  for (let at = 0; at < end - begin; at += block.length) {
    const count = source.read(name, block, at);
    const here = hashBytes(block.subarray(0, count));
    hash = hash === "" ? here : hashBytes(new TextEncoder().encode(hash + here));
  }
  return `${sizeOf(source, name)} ${hash}`;
}
