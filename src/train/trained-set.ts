import { ArgumentError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { stateEpoch } from "../engine/cell.ts";
import { type SelectedParts, selectParts } from "../freeze/select.ts";
import { type Selector, selectorKey, selectorText } from "../freeze/selector.ts";
import { warnOfUnfrozenPlaces } from "../nn/frozen-paths.ts";
import type { Module } from "../nn/module.ts";
import { type Regions, unite } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import type { StepOptimizer } from "./step-optimizer.ts";

/** What one step trains: the same object wherever it is the same parameters, so that it can key a recording. */
export interface TrainedSet {
  /** Its parameters, with the region of each that is trained (null: all of it). */
  readonly regions: Regions;
  /** The selectors that named it first, as errors show them. */
  readonly text: string;
}

/** Sets that are remembered at a time. */
const remembered = 2048;

/** Sets that are compared with before others are looked up. */
const latest = 4;

/** Whether two selectors are the same text, or lists of the same texts. */
function sameText(a: Selector, b: Selector): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return typeof a === "string" && a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (typeof a[i] !== "string" || a[i] !== b[i]) return false;
  return true;
}

/** Finds the parameters that selectors name in a module, and remembers them while nothing changes. */
export class TrainedSets {
  readonly #module: Module;
  readonly #optimizer: Pick<StepOptimizer, "parameters">;
  #known: ReadonlySet<Parameter> = new Set();
  #knownAt = -1;
  readonly #bySelector = new Map<string, { epoch: number; set: TrainedSet }>();
  #latest: readonly { readonly selector: Selector; readonly epoch: number; readonly set: TrainedSet }[] = [];
  readonly #byParts = new WeakMap<SelectedParts, TrainedSet>();
  readonly #byContent = new Map<string, TrainedSet>();

  /** What can be trained is what the optimizer has. */
  constructor(module: Module, optimizer: Pick<StepOptimizer, "parameters">) {
    this.#module = module;
    this.#optimizer = optimizer;
  }

  #trainable(): ReadonlySet<Parameter> {
    if (this.#knownAt !== stateEpoch()) {
      this.#known = new Set(this.#optimizer.parameters());
      this.#knownAt = stateEpoch();
    }
    return this.#known;
  }

  /** The set that a selector names; throws `SelectorError` where it matches nothing. */
  get(selector: Selector): TrainedSet {
    // Steps name few sets in turn: comparing with those costs less than a text to look up.
    for (const last of this.#latest)
      if (last.epoch === stateEpoch() && sameText(last.selector, selector)) return last.set;
    const set = this.#find(selector);
    const kept = Array.isArray(selector) ? [...selector] : selector;
    this.#latest = [{ selector: kept, epoch: stateEpoch(), set }, ...this.#latest.slice(0, latest - 1)];
    return set;
  }

  #find(selector: Selector): TrainedSet {
    const key = selectorKey(selector);
    const found = key === null ? undefined : this.#bySelector.get(key);
    if (found !== undefined && found.epoch === stateEpoch()) return found.set;
    const set = this.#intern(selector);
    if (key !== null) this.#bySelector.set(key, { epoch: stateEpoch(), set });
    if (this.#bySelector.size > remembered) this.#bySelector.clear();
    return set;
  }

  /** Everything that can be trained. */
  all(): TrainedSet {
    return this.#named(new Map([...this.#trainable()].map((p) => [p, null])), "everything");
  }

  /** What any of several sets trains. */
  union(sets: readonly TrainedSet[]): TrainedSet {
    if (sets.length === 1) return sets[0]!;
    const text = [...new Set(sets.map((set) => set.text))].join(" and ");
    return this.#named(sets.map((set) => set.regions).reduce(unite), text);
  }

  #intern(selector: Selector): TrainedSet {
    const parts = selectParts(this.#module, selector);
    let partly = false;
    for (const { parameter } of parts.values()) if (parameter.frozenRegion !== null) partly = true;
    const known = partly ? undefined : this.#byParts.get(parts);
    if (known !== undefined) return known;
    const trainable = this.#trainable();
    const regions = new Map<Parameter, Region | null>();
    for (const [path, { parameter, region }] of parts) {
      if (!trainable.has(parameter))
        throw new ArgumentError(
          `trainStep: trains names ${path}, which the optimizer does not have; add it with addParamGroup`,
        );
      const open = parameter.trainable(region);
      if (open !== "none") regions.set(parameter, open);
      // No gradient is found of what is frozen whole: the set can be the same when it is not.
      else if (parameter.frozen) regions.set(parameter, region);
    }
    warnOfUnfrozenPlaces(this.#module, new Set(regions.keys()));
    const set = this.#named(regions, selectorText(selector));
    if (!partly) this.#byParts.set(parts, set);
    return set;
  }

  /** The one set of these regions. */
  #named(regions: Regions, text: string): TrainedSet {
    let content = "";
    for (const [p, region] of regions) content += `${idOf(p)}${region === null ? "" : `:${idOf(region)}`},`;
    let set = this.#byContent.get(content);
    if (set === undefined) {
      if (this.#byContent.size >= remembered) this.#byContent.clear();
      this.#byContent.set(content, (set = { regions, text }));
    }
    return set;
  }
}
