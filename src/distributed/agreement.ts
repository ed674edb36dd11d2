import { GroupError } from "../base/errors.ts";
import { stateEpoch, structureEpoch } from "../engine/cell.ts";
import { commit } from "../engine/realize.ts";
import type { Module } from "../nn/module.ts";
import { type Regions, unite } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { hashOf } from "../tensor/pieces.ts";
import type { Region } from "../tensor/region.ts";
import { drawnMark, leftOutMark, readAlike, wordsOf } from "./alike.ts";
import { Contributions, type Described, describeList, type Hashed } from "./contribution.ts";
import type { Engine } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import { type Met, type Stored, storedOf, takeFromRankZero } from "./met.ts";
import { ranksText } from "./ranks-text.ts";
import { type OptionGroups, ToldOptions, type UpdatedBy } from "./told-options.ts";

/** What the ranks have agreed on for a call: one object wherever it is the same, so that it can key a recording. */
export interface Agreed {
  /** What any of them has gradients of, and so all update, in the order that all have. */
  readonly regions: Regions;
  /** Of each, the regions that ranks have gradients of, those of one rank after the other. */
  readonly users: ReadonlyMap<Parameter, readonly (Region | null)[]>;
  /** What this rank gives. */
  readonly own: Described;
  /** A hash of what all ranks do alike: that of those which know what they will do. */
  readonly alike: Hashed;
}

/** What a rank says of the call that it is about to make. */
export interface Proposal {
  /** What it expects to have gradients of. */
  readonly regions: Regions;
  /** Calls that the update is the mean of. */
  readonly of: number;
  /**
   * What it will do that all ranks must do alike: the layers that sum over ranks, in their order, and what a hook on
   * gradients leaves out and draws. Null where it does not know yet.
   */
  readonly alike: Described | null;
  /** Whether it has found that in this very call: what it knows from an earlier one may no longer be so. */
  readonly isFresh: boolean;
}

/** What is agreed on the members of, and what becomes of members that ranks have not alike. */
interface Settings extends UpdatedBy {
  readonly module: Module;
  readonly parameters: () => Iterable<Parameter>;
  readonly start: "same" | "broadcast";
  readonly frozenAlone: "error" | "withhold";
}

/** What ranks have agreed on once: what each of them said, and what that is while the module's parameters are these. */
interface Known {
  readonly texts: readonly string[];
  contributions: Contributions;
  agreed: Agreed;
}

/** What is said of a parameter or buffer that the module has not had before. */
const newMark = ", new in the module";

/** Agreements that are remembered. All ranks have the same, so that all forget at once. */
const remembered = 2048;

/**
 * Words that ranks tell each other: which step, calls of its round, and four hashes: of what has gradients, of what is
 * frozen, of what they must have alike (several in one), and of what their losses and hooks do alike.
 */
const words = 10;

/** Has ranks agree, before each update, on what it is of: by one exchange of hashes, where all of them are known. */
export class Agreements {
  readonly #engine: Engine;
  readonly #module: Module;
  readonly #parameters: () => Iterable<Parameter>;
  readonly #options: ToldOptions;
  readonly #groupsNow: () => OptionGroups;
  readonly #withholds: boolean;
  readonly #broadcasts: boolean;
  readonly #met: Met;
  readonly #known = new Map<string, Known>();
  readonly #words = new Int32Array(words);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  #last: { readonly words: Int32Array; readonly known: Known } | null = null;
  #contributions: Contributions | null = null;
  #structure = -1;
  #groups = 0;
  /** What the module has come to hold since ranks last met. */
  #new: readonly Stored[] = [];
  #newList: readonly string[] = [];
  #epoch = -1;
  #members: Described = describeList([]);
  #frozen: Described = describeList([]);

  constructor(engine: Engine, step: number, settings: Settings, met: Met) {
    const { module, parameters, frozenAlone, start } = settings;
    this.#engine = engine;
    this.#module = module;
    this.#parameters = parameters;
    this.#options = new ToldOptions(settings);
    this.#groupsNow = settings.optionGroups;
    this.#withholds = frozenAlone === "withhold";
    this.#broadcasts = start === "broadcast";
    this.#met = met;
    this.#words[0] = step;
  }

  get contributions(): Contributions {
    const groups = this.#groupsNow().length;
    if (this.#contributions === null || structureEpoch() !== this.#structure || groups !== this.#groups) {
      this.#structure = structureEpoch();
      this.#groups = groups;
      const made = new Contributions(this.#module, this.#parameters());
      // Another module has been made, or this one is as before: what was agreed on stands, and its recordings.
      if (this.#contributions === null || !made.isSame(this.#contributions)) this.#contributions = made;
      this.#members = describeList(this.#contributions.members);
      this.#new = storedOf(this.#module).filter((one) => !this.#met.has(one));
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

  /**
   * Agrees on a call; throws `GroupError` on all ranks where they differ in what must be the same. Null, on all ranks: they
   * differ in what they will do alike by what some know from earlier calls, who are to come again without.
   */
  on({ regions, of, alike, isFresh }: Proposal): Agreed | null {
    const { frozen, contributions } = this;
    const own = contributions.describe(regions);
    const mine = this.#words;
    mine[1] = of;
    mine.set(own.hash, 2);
    mine.set(frozen.hash, 4);
    mine.set(
      joinedHash([this.#members, this.#described(this.#new), ...this.#options.describedIn(contributions)]),
      6,
    );
    mine.set(wordsOf(alike, isFresh), 8);
    const all = this.#engine.gather("a step", this.#bytes);
    const said = new Int32Array(words * all.length);
    for (const [rank, bytes] of all.entries()) said.set(new Int32Array(bytes.buffer, 0, words), rank * words);
    const { common, areFresh } = readAlike(said, 8, words);
    const last = this.#last?.known;
    if (last?.agreed.own === own && last.contributions === contributions && same(this.#last!.words, said))
      return last.agreed;
    this.#refuseDifferences(said, frozen);
    if (common === null) {
      if (areFresh) this.#refuseUnlike(alike);
      return null;
    }
    this.#meetNew();
    const known = this.#find(said, { own, alike: common });
    this.#last = { words: said, known };
    return known.agreed;
  }

  /** What the module has come to hold, with hashes of its values unless they are rank 0's to give. */
  #described(all: readonly Stored[]): Described {
    if (all.length > 0) commit();
    this.#newList = all.map(({ path, resident }) => {
      const values = this.#broadcasts ? "" : `, of values ${hashOf(resident.storage, null)}`;
      return `${path}${newMark}${values}`;
    });
    return describeList(this.#newList);
  }

  /** Notes what the module has come to hold as what all ranks have alike, which it is after this. */
  #meetNew(): void {
    if (this.#new.length === 0) return;
    if (this.#broadcasts) takeFromRankZero(this.#engine, this.#new);
    this.#met.note(this.#new);
    this.#new = [];
  }

  #find(said: Int32Array, own: Pick<Agreed, "own" | "alike">): Known {
    const key = said.join();
    const { contributions } = this;
    const known = this.#known.get(key);
    // All ranks have said the same as once before; what the places of parameters stand for may be others by now.
    if (known !== undefined) {
      if (known.contributions !== contributions) {
        known.contributions = contributions;
        known.agreed = agreedOn(known.texts, contributions, own);
      }
      return known;
    }
    const texts = gatherTexts(this.#engine, "a step", own.own.text);
    const made = { texts, contributions, agreed: agreedOn(texts, contributions, own) };
    if (this.#known.size >= remembered) this.#known.clear();
    this.#known.set(key, made);
    return made;
  }

  #refuseDifferences(said: Int32Array, frozen: Described): void {
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
    if (differ(6, 7)) {
      const list = [...this.#contributions!.members, ...this.#newList, ...this.#options.list];
      const difference = this.#difference(list);
      const advice = difference.includes(newMark)
        ? ' What comes to the module must come on all ranks, with the same values: make it of one seed (manualSeed), load it, or give trainStep start: "broadcast", which takes those of rank 0.'
        : "";
      throw new GroupError(
        `Ranks have different parameters, or options of the optimizer: ${difference}. Nothing was sent.${advice}`,
      );
    }
    if (!this.#withholds && differ(4, 5))
      throw new GroupError(
        `Frozen on some ranks only: ${this.#difference(listOf(frozen))}. In a group frozen means frozen on every rank: ` +
          "freeze it on all of them, or name it in none of their trains; " +
          'with frozenAlone: "withhold" it moves by the gradients of the other ranks. Nothing was updated.',
      );
  }

  /** What ranks do is not the same, as all of them have found. */
  #refuseUnlike(alike: Described | null): never {
    const difference = this.#difference(alike === null ? null : listOf(alike));
    throw new GroupError(
      difference.includes(leftOutMark) || difference.includes(drawnMark)
        ? `The hook on gradients does not do the same on all ranks: ${difference}. ` +
            "What it leaves out it must leave out on all of them, and what it draws must come from a Generator of one seed. Nothing was updated."
        : `Ranks run different layers that sum over ranks: ${difference}. ` +
            "In training all ranks must run the same ones (SyncBatchNorm, and tables with maxNorm that are trained), in the same order. Nothing was updated.",
    );
  }

  /** What some ranks have in a list and others have not, with who has; null: a list is not known yet. All ranks come here. */
  #difference(list: readonly string[] | null): string {
    const lists = gatherTexts(this.#engine, "a step", JSON.stringify(list)).map(
      (text) => JSON.parse(text) as string[] | null,
    );
    const has = new Map<string, number[]>();
    for (const [rank, items] of lists.entries())
      for (const item of items ?? []) has.set(item, [...(has.get(item) ?? []), rank]);
    const told = lists.flatMap((items, rank) => (items === null ? [] : [rank]));
    const some = [...has].filter(([, ranks]) => ranks.length < told.length);
    if (some.length === 0) return "they come in another order";
    const shown = some.slice(0, 8).map(([item, ranks]) => {
      const others = told.filter((rank) => !ranks.includes(rank));
      return `${item} on ${ranksText(ranks)}, not on ${ranksText(others)}`;
    });
    return shown.join("; ") + (some.length > shown.length ? `; and ${some.length - shown.length} more` : "");
  }
}

const listOf = ({ text }: Described): string[] => (text === "" ? [] : (JSON.parse(text) as string[]));

/** What ranks have agreed on by what each has said. */
function agreedOn(
  texts: readonly string[],
  contributions: Contributions,
  own: Pick<Agreed, "own" | "alike">,
): Agreed {
  const all = texts.map((text) => contributions.read(text));
  const users = new Map<Parameter, (Region | null)[]>();
  for (const regions of all)
    for (const [p, region] of regions) users.set(p, [...(users.get(p) ?? []), region]);
  return { regions: contributions.ordered(all.reduce(unite)), users, ...own };
}

/** One hash of several texts. */
function joinedHash(all: readonly Described[]): Hashed {
  let [first, second] = [0, 0];
  // Turned before each, or two texts that change places would not show.
  for (const { hash } of all) {
    first = ((first << 5) | (first >>> 27)) ^ hash[0];
    second = ((second << 7) | (second >>> 25)) ^ hash[1];
  }
  return [first, second];
}

function same(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
