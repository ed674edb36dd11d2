import { ArgumentError } from "../base/errors.ts";
import { stateEpoch } from "../engine/cell.ts";
import { select } from "../freeze/select.ts";
import { type Selector, selectorText } from "../freeze/selector.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../tensor/parameter.ts";

/** What one step trains: the same object wherever it is the same parameters, so that it can key a recording. */
export interface TrainedSet {
  readonly parameters: ReadonlySet<Parameter>;
  /** The selectors that named it first, as errors show them. */
  readonly text: string;
}

let nextId = 1;
const ids = new WeakMap<object, number>();

function idOf(object: object): number {
  let id = ids.get(object);
  if (id === undefined) ids.set(object, (id = nextId++));
  return id;
}

/** A selector as a key, or null where it must be evaluated anew: a function may answer differently. */
function keyOf(selector: Selector): string | null {
  if (typeof selector === "string") return JSON.stringify(selector);
  if (Array.isArray(selector)) {
    const keys = selector.map(keyOf);
    return keys.includes(null) ? null : `[${keys.join()}]`;
  }
  if (selector instanceof Module || selector instanceof Parameter) return String(idOf(selector));
  return selector instanceof RegExp ? String(selector) : null;
}

/** Finds the parameters that selectors name in a module, and remembers them while nothing changes. */
export class TrainedSets {
  readonly #module: Module;
  readonly #known: ReadonlySet<Parameter>;
  readonly #bySelector = new Map<string, { epoch: number; set: TrainedSet }>();
  readonly #byContent = new Map<string, TrainedSet>();

  /** `known` are the parameters that can be trained: the optimizer's. */
  constructor(module: Module, known: Iterable<Parameter>) {
    this.#module = module;
    this.#known = new Set(known);
  }

  /** The set that a selector names; throws `SelectorError` where it matches nothing. */
  get(selector: Selector): TrainedSet {
    const key = keyOf(selector);
    const found = key === null ? undefined : this.#bySelector.get(key);
    if (found !== undefined && found.epoch === stateEpoch()) return found.set;
    const set = this.#intern(selector);
    if (key !== null) this.#bySelector.set(key, { epoch: stateEpoch(), set });
    return set;
  }

  #intern(selector: Selector): TrainedSet {
    const named = select(this.#module, selector);
    for (const [path, p] of named)
      if (!this.#known.has(p))
        throw new ArgumentError(
          `trainStep: trains names ${path}, which the optimizer does not have; add it with addParamGroup`,
        );
    const content = [...named.values()].map(idOf).join();
    let set = this.#byContent.get(content);
    if (set === undefined) {
      set = { parameters: new Set(named.values()), text: selectorText(selector) };
      this.#byContent.set(content, set);
    }
    return set;
  }
}
