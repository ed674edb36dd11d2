import { bumpEpoch, Cell } from "../engine/cell.ts";
import { placeIn, requireModule } from "./items.ts";
import { type contents, type Member, Module } from "./module.ts";

/** Modules in a row, found by walking under their index. */
export class ModuleList<M extends Module = Module> extends Module {
  declare readonly [contents]?: readonly M[];
  readonly #items: M[];
  readonly #changes = new Cell(0);

  constructor(modules: Iterable<M> = []) {
    super();
    this.#items = [...modules];
    for (const module of this.#items) requireModule("ModuleList", module);
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
    return this.#read()[placeIn("ModuleList.at", index, this.length)]!;
  }
  /** A list of the modules from `start` up to and without `end`, as an array's `slice`; the modules are the same ones. */
  slice(start?: number, end?: number): ModuleList<M> {
    return new ModuleList(this.#read().slice(start, end));
  }
  /** Adds a module at the end. */
  append(module: M): this {
    return this.extend([module]);
  }
  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    const added = [...modules];
    for (const module of added) requireModule("ModuleList.extend", module);
    this.#items.push(...added);
    return this.#changed();
  }
  /** Puts a module before the one at an index; at the length, at the end. */
  insert(index: number, module: M): this {
    requireModule("ModuleList.insert", module);
    this.#items.splice(placeIn("ModuleList.insert", index, this.length + 1, this.length), 0, module);
    return this.#changed();
  }
  /** Puts a module in the place of the one at an index. */
  set(index: number, module: M): this {
    requireModule("ModuleList.set", module);
    this.#items[placeIn("ModuleList.set", index, this.length)] = module;
    return this.#changed();
  }
  /** Takes out the module at an index, the last unless another is named, and gives it. */
  pop(index = -1): M {
    const [taken] = this.#items.splice(placeIn("ModuleList.pop", index, this.length), 1);
    this.#changed();
    return taken!;
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
