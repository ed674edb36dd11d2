import { type Described, describeList } from "./contribution.ts";

/** An optimizer's groups of parameters, as far as their options go. */
export type OptionGroups = readonly { readonly params: readonly unknown[] }[];

/** The options of an optimizer as ranks tell each other of them: a rate that is another on one rank would part them. */
export class ToldOptions {
  readonly #groups: () => OptionGroups;
  readonly #values: unknown[] = [];
  #list: readonly string[] = [];
  #described: Described = describeList([]);

  constructor(groups: () => OptionGroups) {
    this.#groups = groups;
  }

  /** They are written down only where one has changed. */
  get described(): Described {
    const groups = this.#groups();
    let at = 0;
    let isOther = false;
    const look = (value: unknown): void => {
      if (!Object.is(this.#values[at], value)) isOther = true;
      this.#values[at++] = value;
    };
    for (const group of groups) {
      const options = group as Readonly<Record<string, unknown>>;
      for (const name in options) {
        const value = options[name];
        if (name === "params") look(group.params.length);
        else if (Array.isArray(value)) for (const each of value) look(each);
        else look(value);
      }
    }
    if (isOther || at !== this.#values.length) {
      this.#values.length = at;
      this.#list = groups.flatMap(told);
      this.#described = describeList(this.#list);
    }
    return this.#described;
  }

  /** Each option of each group, as text. */
  get list(): readonly string[] {
    return this.#list;
  }
}

const told = (group: OptionGroups[number], place: number): string[] =>
  Object.entries(group).map(([name, value]: [string, unknown]) =>
    name === "params"
      ? `${group.params.length} parameters in group ${place}`
      : `${name} = ${JSON.stringify(value) ?? "nothing"} in group ${place}`,
  );
