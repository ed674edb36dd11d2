import { IndexError } from "../base/errors.ts";
import { bumpEpoch, Cell } from "../engine/cell.ts";
import { type contents, type Member, Module } from "./module.ts";

/** Modules in a row, found by walking under their index. */
export class ModuleList<M extends Module = Module> extends Module {
  declare readonly [contents]?: readonly M[];
  readonly #items: M[];
  readonly #changes = new Cell(0);

  constructor(modules: Iterable<M> = []) {
    super();
    this.#items = [...modules];
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this.#read().map((item, i): [string, Member] => [String(i), item])];
  }

  /** The items, for a recording that then depends on which they are. */
  #read(): readonly M[] {
    void this.#changes.value;
    return this.#items;
  }
  #changed(): this {
    this.#changes.value++;
    bumpEpoch();
    return this;
  }

  get length(): number {
    return this.#read().length;
  }
  [Symbol.iterator](): Iterator<M> {
    return this.#read()[Symbol.iterator]();
  }
  /** The module at an index; negative ones count from the end. */
  at(index: number): M {
    const found = this.#read().at(index);
    if (found === undefined)
      throw new IndexError(`ModuleList.at: index ${index} in a list of ${this.length}`);
    return found;
  }
  /** Adds a module at the end. */
  append(module: M): this {
    return this.extend([module]);
  }
  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    this.#items.push(...modules);
    return this.#changed();
  }
  /** Puts a module before the one at an index. */
  insert(index: number, module: M): this {
    this.#items.splice(index, 0, module);
    return this.#changed();
  }

  /** Modules that print alike are printed once, with their range. */
  protected override childLines(): [string, string][] {
    const runs: { first: number; last: number; text: string }[] = [];
    for (const [i, item] of this.#items.entries()) {
      const text = String(item);
      const run = runs.at(-1);
      if (run?.text === text) run.last = i;
      else runs.push({ first: i, last: i, text });
    }
    return runs.map(({ first, last, text }) =>
      first === last ? [`${first}`, text] : [`${first}-${last}`, `${last - first + 1} x ${text}`],
    );
  }
}
