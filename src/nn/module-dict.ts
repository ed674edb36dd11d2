import { ArgumentError } from "../base/errors.ts";
import { bumpEpoch, Cell } from "../engine/cell.ts";
import { requireModule } from "./items.ts";
import { type contents, type Member, Module } from "./module.ts";

/** Modules by name, found by walking under it. */
export class ModuleDict<D extends Record<string, Module> = Record<string, Module>> extends Module {
  declare readonly [contents]?: D;
  readonly #items = new Map<string, Module>();
  readonly #changes = new Cell(0);

  constructor(modules?: D) {
    super();
    for (const [key, module] of Object.entries(modules ?? {})) this.set(key, module as D[keyof D & string]);
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this.#read()];
  }

  /** The items, for a recording that then depends on which they are. */
  #read(): ReadonlyMap<string, Module> {
    void this.#changes.value;
    return this.#items;
  }
  #changed(): void {
    this.#changes.value++;
    bumpEpoch();
  }

  get size(): number {
    return this.#read().size;
  }
  /** The names, in the order in which they were added. */
  keys(): (keyof D & string)[] {
    return [...this.#read().keys()];
  }
  /** Names and modules. */
  entries(): [keyof D & string, D[keyof D & string]][] {
    return [...this.#read()] as [keyof D & string, D[keyof D & string]][];
  }
  /** The modules, in the order in which they were added. */
  values(): D[keyof D & string][] {
    return [...this.#read().values()] as D[keyof D & string][];
  }
  has(key: string): boolean {
    return this.#read().has(key);
  }
  /** The module of a name. */
  get<K extends keyof D & string>(key: K): D[K] {
    const found = this.#read().get(key);
    if (found === undefined)
      throw new ArgumentError(
        `ModuleDict.get: no module is called "${key}"; there are ${this.keys().join(", ") || "none"}`,
      );
    return found as D[K];
  }
  /** Adds a module, or puts it in the place of another. */
  set<K extends keyof D & string>(key: K, module: D[K]): this {
    if (key === "" || key.includes("."))
      throw new ArgumentError(
        `ModuleDict.set: "${key}" cannot be a name: it would be part of paths, so it is not empty and has no dot`,
      );
    requireModule("ModuleDict.set", module);
    this.#items.set(key, module);
    this.#changed();
    return this;
  }
  /** Adds modules, each in the place of another of its name. */
  update(modules: Partial<D>): this {
    for (const [key, module] of Object.entries(modules)) this.set(key, module as D[keyof D & string]);
    return this;
  }
  delete(key: keyof D & string): boolean {
    this.#changed();
    return this.#items.delete(key);
  }
  /** Takes out the module of a name, and gives it. */
  pop<K extends keyof D & string>(key: K): D[K] {
    const taken = this.get(key);
    this.delete(key);
    return taken;
  }
  /** Takes out all modules. */
  clear(): void {
    this.#items.clear();
    this.#changed();
  }
}
