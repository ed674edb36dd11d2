import { stateEpoch } from "../engine/cell.ts";
import type { StatePolicy } from "../optim/state-policy.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { type Contributions, type Described, describeList } from "./contribution.ts";

/** An optimizer's groups of parameters, as far as their options go. */
export type OptionGroups = readonly { readonly params: readonly Parameter[] }[];

/** What an update is made by, beside gradients. */
export interface UpdatedBy {
  /** The optimizer's groups. */
  readonly optionGroups: () => OptionGroups;
  /** What becomes of a parameter's optimizer state while updates leave it out. */
  readonly policyOf: (p: Parameter) => StatePolicy | undefined;
  /** How much of an average stays at an update, which may be set at any time; null: there is none. */
  readonly decay: () => number | null;
}

/**
 * What an optimizer updates by, as ranks tell each other of it: a rate that is another on one rank would part them, and so
 * would a parameter that is in another group there.
 */
export class ToldOptions {
  readonly #by: UpdatedBy;
  readonly #values: unknown[] = [];
  #options: Described = describeList([]);
  #optionList: readonly string[] = [];
  #places: Described = describeList([]);
  #placeList: readonly string[] = [];
  /** What the places were found in. */
  #seen: { readonly contributions: Contributions; readonly epoch: number } | null = null;

  constructor(by: UpdatedBy) {
    this.#by = by;
  }

  /** Hashes of them, for what the parameters are called now. Either list is written down only where it may have changed. */
  describedIn(contributions: Contributions): readonly Described[] {
    const groups = this.#by.optionGroups();
    const decay = this.#by.decay();
    if (this.#seen?.contributions !== contributions || this.#seen.epoch !== stateEpoch()) {
      this.#placeList = this.#placesIn(contributions, groups);
      this.#places = describeList(this.#placeList);
      this.#seen = { contributions, epoch: stateEpoch() };
    }
    if (this.#haveChanged(groups, decay)) {
      this.#optionList = [
        ...groups.flatMap(optionsIn),
        ...(decay === null ? [] : [`decay = ${decay} in the average`]),
      ];
      this.#options = describeList(this.#optionList);
    }
    return [this.#options, this.#places];
  }

  /** Each of them, as text. */
  get list(): readonly string[] {
    return [...this.#placeList, ...this.#optionList];
  }

  #haveChanged(groups: OptionGroups, decay: number | null): boolean {
    let at = 0;
    let isOther = false;
    const look = (value: unknown): void => {
      if (!Object.is(this.#values[at], value)) isOther = true;
      this.#values[at++] = value;
    };
    look(decay);
    for (const group of groups) {
      const options = group as unknown as Readonly<Record<string, unknown>>;
      for (const name in options) {
        const value = options[name];
        if (name === "params") look(group.params.length);
        else if (Array.isArray(value)) for (const each of value) look(each);
        else look(value);
      }
    }
    if (!isOther && at === this.#values.length) return false;
    this.#values.length = at;
    return true;
  }

  /** Which group each parameter is in, and what becomes of its state. */
  #placesIn(contributions: Contributions, groups: OptionGroups): string[] {
    return groups.flatMap(({ params }, place) =>
      params.flatMap((p) => {
        const name = contributions.nameOf(p);
        const policy = policyText(this.#by.policyOf(p));
        return [`${name} in group ${place}`, ...(policy === null ? [] : [`${name} with ${policy}`])];
      }),
    );
  }
}

const optionsIn = (group: OptionGroups[number], place: number): string[] =>
  Object.entries(group)
    .filter(([name]) => name !== "params")
    .map(([name, value]: [string, unknown]) => `${name} = ${optionText(value)} in group ${place}`);

const optionText = (value: unknown): string =>
  typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "nothing");

/** A policy of state as text; null for one that changes nothing. Where state waits is each rank's own affair. */
function policyText({ state = "keep", rewarm = 0 }: StatePolicy = {}): string | null {
  if (state === "keep" && rewarm === 0) return null;
  const what = typeof state === "string" ? state : "decay" in state ? `decay ${state.decay}` : "offload";
  return `the state policy ${what}${rewarm > 0 ? `, rewarm ${rewarm}` : ""}`;
}
