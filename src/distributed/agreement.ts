import { GroupError } from "../base/errors.ts";
import { stateEpoch, structureEpoch } from "../engine/cell.ts";
import type { Module } from "../nn/module.ts";
import { type Regions, unite } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Contributions, type Described, describeList } from "./contribution.ts";
import type { Engine } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import { ranksText } from "./ranks-text.ts";
import { type OptionGroups, ToldOptions } from "./told-options.ts";

/** What the ranks have agreed on for a call: one object wherever it is the same, so that it can key a recording. */
export interface Agreed {
  /** What any of them has gradients of, and so all update, in the order that all have. */
  readonly regions: Regions;
  /** How many of them have a gradient of each. */
  readonly users: ReadonlyMap<Parameter, number>;
  /** What this rank gives. */
  readonly own: Described;
  /** The layers that sum over ranks, in their order. */
  readonly layers: Described;
}

/** What a rank says of the call that it is about to make. */
export interface Proposal {
  /** What it expects to have gradients of. */
  readonly regions: Regions;
  /** Calls that the update is the mean of. */
  readonly of: number;
  /** The layers that it expects to sum over ranks, in their order. */
  readonly layers: Described;
}

/** What is agreed on the members of, and whether what is frozen on some ranks only is an error. */
interface Settings {
  readonly module: Module;
  readonly parameters: () => Iterable<Parameter>;
  readonly optionGroups: () => OptionGroups;
  readonly frozenAlone: "error" | "withhold";
}

/** Agreements that are remembered. All ranks have the same, so that all forget at once. */
const remembered = 2048;

/** Words that ranks tell each other: which step, calls of its round, and hashes of four texts, the third of which is two. */
const words = 10;

/** Has ranks agree, before each update, on what it is of: by one exchange of hashes, where all of them are known. */
export class Agreements {
  readonly #engine: Engine;
  readonly #module: Module;
  readonly #parameters: () => Iterable<Parameter>;
  readonly #options: ToldOptions;
  readonly #withholds: boolean;
  readonly #known = new Map<string, Agreed>();
  readonly #words = new Int32Array(words);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  #last: { readonly words: Int32Array; readonly agreed: Agreed } | null = null;
  #contributions: Contributions | null = null;
  #structure = -1;
  #epoch = -1;
  #members: Described = describeList([]);
  #frozen: Described = describeList([]);

  constructor(engine: Engine, step: number, { module, parameters, optionGroups, frozenAlone }: Settings) {
    this.#engine = engine;
    this.#module = module;
    this.#parameters = parameters;
    this.#options = new ToldOptions(optionGroups);
    this.#withholds = frozenAlone === "withhold";
    this.#words[0] = step;
  }

  get contributions(): Contributions {
    if (this.#contributions === null || structureEpoch() !== this.#structure) {
      this.#structure = structureEpoch();
      this.#contributions = new Contributions(this.#module, this.#parameters());
      this.#members = describeList(this.#contributions.members);
      this.#epoch = -1;
    }
    return this.#contributions;
  }

  /** What is frozen now, on this rank. */
  get frozen(): Described {
    const { contributions } = this;
    if (stateEpoch() !== this.#epoch) {
      this.#frozen = describeList(contributions.frozen());
      this.#epoch = stateEpoch();
    }
    return this.#frozen;
  }

  /** Agrees on a call; throws `GroupError` on all ranks where they differ in what must be the same. */
  on({ regions, of, layers }: Proposal): Agreed {
    const { frozen, contributions } = this;
    const own = contributions.describe(regions);
    const mine = this.#words;
    mine[1] = of;
    mine.set(own.hash, 2);
    mine.set(frozen.hash, 4);
    const [first, second] = this.#options.described.hash;
    mine[6] = this.#members.hash[0] ^ first;
    mine[7] = this.#members.hash[1] ^ second;
    mine.set(layers.hash, 8);
    const all = this.#engine.gather("a step", this.#bytes);
    const said = new Int32Array(words * all.length);
    for (const [rank, bytes] of all.entries()) said.set(new Int32Array(bytes.buffer, 0, words), rank * words);
    if (this.#last !== null && this.#last.agreed.own === own && same(this.#last.words, said))
      return this.#last.agreed;
    this.#refuseDifferences(said, frozen, layers);
    const agreed = this.#find(said, own, layers);
    this.#last = { words: said, agreed };
    return agreed;
  }

  #find(said: Int32Array, own: Described, layers: Described): Agreed {
    const key = said.join();
    let agreed = this.#known.get(key);
    if (agreed === undefined) {
      const all = gatherTexts(this.#engine, "a step", own.text).map((text) => this.contributions.read(text));
      const users = new Map<Parameter, number>();
      for (const regions of all) for (const p of regions.keys()) users.set(p, (users.get(p) ?? 0) + 1);
      agreed = { regions: this.contributions.ordered(all.reduce(unite)), users, own, layers };
      if (this.#known.size >= remembered) this.#known.clear();
      this.#known.set(key, agreed);
    }
    return agreed;
  }

  #refuseDifferences(said: Int32Array, frozen: Described, layers: Described): void {
    const wordsOf = (at: number): number[] =>
      Array.from({ length: said.length / words }, (_, rank) => said[rank * words + at]!);
    const differ = (...at: number[]): boolean => at.some((word) => new Set(wordsOf(word)).size > 1);
    const byRank = (at: number): string =>
      wordsOf(at)
        .map((value, rank) => `${value} on rank ${rank}`)
        .join(", ");
    if (differ(0))
      throw new GroupError(
        `Ranks call different steps at once: number ${byRank(0)}, in the order in which trainStep made them. All ranks must make the same calls.`,
      );
    if (differ(1))
      throw new GroupError(
        `Ranks have made different numbers of calls for one update: ${byRank(1)}. All ranks must make the same calls.`,
      );
    if (differ(6, 7))
      throw new GroupError(
        `Ranks have different parameters, or options of the optimizer: ${this.#difference([...this.#contributions!.members, ...this.#options.list])}. Nothing was sent.`,
      );
    if (differ(8, 9))
      throw new GroupError(
        `Ranks run different layers that sum over ranks: ${this.#difference(listOf(layers))}. ` +
          "In training all ranks must run the same SyncBatchNorm layers, in the same order. Nothing was updated.",
      );
    if (!this.#withholds && differ(4, 5))
      throw new GroupError(
        `Frozen on some ranks only: ${this.#difference(listOf(frozen))}. In a group frozen means frozen on every rank: ` +
          "freeze it on all of them, or name it in none of their trains; " +
          'with frozenAlone: "withhold" it moves by the gradients of the other ranks. Nothing was updated.',
      );
  }

  /** What some ranks have in a list and others have not, with who has. All ranks come here. */
  #difference(list: readonly string[]): string {
    const lists = gatherTexts(this.#engine, "a step", JSON.stringify(list)).map(
      (text) => JSON.parse(text) as string[],
    );
    const has = new Map<string, number[]>();
    for (const [rank, items] of lists.entries())
      for (const item of items) has.set(item, [...(has.get(item) ?? []), rank]);
    const some = [...has].filter(([, ranks]) => ranks.length < lists.length);
    if (some.length === 0) return "they come in another order";
    const shown = some.slice(0, 8).map(([item, ranks]) => {
      const others = lists.map((_, rank) => rank).filter((rank) => !ranks.includes(rank));
      return `${item} on ${ranksText(ranks)}, not on ${ranksText(others)}`;
    });
    return shown.join("; ") + (some.length > shown.length ? `; and ${some.length - shown.length} more` : "");
  }
}

const listOf = ({ text }: Described): string[] => (text === "" ? [] : (JSON.parse(text) as string[]));

function same(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
