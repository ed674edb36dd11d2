import { hashBytes } from "../base/hash.ts";
import { shapeText } from "../base/shape.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";

/** A hash, in two words. */
export type Hashed = readonly [number, number];

/** A set of parameters, or regions of them, as ranks tell each other of it. */
export interface Described {
  readonly text: string;
  /** Its hash, and the halves of that. */
  readonly key: string;
  readonly hash: Hashed;
}

/** One parameter of such a set: its place among the module's, and the region of it, where that is not all. */
type Entry = readonly [place: number, dim?: number, indices?: readonly number[]];

const none: Described = describedAs("");

function describedAs(text: string): Described {
  const digits = hashBytes(new TextEncoder().encode(text));
  const half = (from: number): number => Number.parseInt(digits.slice(from, from + 8), 16) | 0;
  return { text, key: digits, hash: [half(0), half(8)] };
}

/** Writes sets of a module's parameters down, in the one order that they have on all ranks, and reads them. */
export class Contributions {
  readonly #named: readonly (readonly [string, Parameter])[];
  readonly #places: ReadonlyMap<Parameter, number>;
  readonly #known = new WeakMap<Regions, Described>();
  /** What they are: paths, dtypes and shapes. */
  readonly members: readonly string[];

  /** `others` come after the module's own parameters: those that an optimizer has beside them. */
  constructor(module: Module, others: Iterable<Parameter>) {
    const named = module.namedParameters().map(([path, p]) => [path, p] as const);
    const own = new Set(named.map(([, p]) => p));
    const more = [...others]
      .filter((p) => !own.has(p))
      .map((p, i) => [`outside of the module: ${p.label || `parameter ${i}`}`, p] as const);
    this.#named = [...named, ...more];
    this.members = this.#named.map(([path, p]) => `${path}: ${p.dtype}${shapeText(p.shape)}`);
    this.#places = new Map(this.#named.map(([, p], place) => [p, place]));
  }

  /** Whether another has the same parameters, in the same places. */
  isSame(other: Contributions): boolean {
    const [mine, theirs] = [this.#named, other.#named];
    if (mine.length !== theirs.length) return false;
    return mine.every(([, p], i) => p === theirs[i]![1] && this.members[i] === other.members[i]);
  }

  /** What a parameter is called. */
  nameOf(p: Parameter): string {
    return this.#named[this.#places.get(p)!]![0];
  }

  /** A set, written down; the same object is looked at once. */
  describe(regions: Regions): Described {
    let known = this.#known.get(regions);
    if (known === undefined) this.#known.set(regions, (known = this.#described(regions)));
    return known;
  }

  #described(regions: Regions): Described {
    if (regions.size === 0) return none;
    const entries = [...regions].map(([p, region]): Entry => {
      const place = this.#places.get(p)!;
      return region === null ? [place] : [place, region.dim ?? -1, [...region.indices]];
    });
    return describedAs(JSON.stringify(entries.sort(([a], [b]) => a - b)));
  }

  /** Reads a set that another rank has written down. */
  read(text: string): Regions {
    const entries = text === "" ? [] : (JSON.parse(text) as Entry[]);
    return new Map(
      entries.map(([place, dim, indices]) => {
        const [, p] = this.#named[place]!;
        if (dim === undefined) return [p, null];
        return [p, dim === -1 ? Region.elements(p.shape, indices!) : Region.along(p.shape, dim, indices!)];
      }),
    );
  }

  /** The same set in the one order. */
  ordered(regions: Regions): Regions {
    return new Map([...regions].sort(([a], [b]) => this.#places.get(a)! - this.#places.get(b)!));
  }

  /** What of each parameter is frozen now, by its path, as text; what is not frozen at all is left out. */
  frozen(): string[] {
    const frozen: string[] = [];
    for (const [path, p] of this.#named) {
      const open = p.trainable(null);
      if (open === "none") frozen.push(path);
      else if (open !== null) frozen.push(`${path}${open.complement()!.text}`);
    }
    return frozen;
  }
}

/** A list of texts, written down. */
export const describeList = (list: readonly string[]): Described =>
  list.length === 0 ? none : describedAs(JSON.stringify(list));
