import { Items, items, named, requireModule, requireName } from "./items.ts";
import { type Member, Module } from "./module.ts";
import type { contents } from "./paths.ts";

/**
 * Modules by name, found by walking under it.
 *
 * Takes an object of `modules`, none unless given; gives a module without a `forward` of its own: `get(name)` is a
 * module of it. Order is that of insertion.
 * Throws `ArgumentError` for what is no module, and for a name that is empty, has a dot, or is not there.
 * Source: `torch.nn.ModuleDict`.
 * Example: `new nn.ModuleDict({ left: new nn.Linear(2, 3), right: new nn.Linear(2, 3) }).get("left").forward(randn([1, 2]))`.
 */
export class ModuleDict<D extends Record<string, Module> = Record<string, Module>> extends Module {
  declare readonly [contents]?: D;
  private readonly [items] = new Items(new Map<string, Module>());

  constructor(modules?: D) {
    super();
    for (const [key, module] of Object.entries(modules ?? {})) this.set(key, module as D[keyof D & string]);
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this[items].read()];
  }

  protected override setMember(name: string, module: Module): void {
    if (Object.hasOwn(this, name.split(".")[0]!)) super.setMember(name, module);
    else this.set(name, module as D[string]);
  }

  get size(): number {
    return this[items].read().size;
  }
  /** The names, in the order in which they were added. */
  keys(): (keyof D & string)[] {
    return [...this[items].read().keys()];
  }
  /** Names and modules. */
  entries(): [keyof D & string, D[keyof D & string]][] {
    return [...this[items].read()] as [keyof D & string, D[keyof D & string]][];
  }
  /** The modules, in the order in which they were added. */
  values(): D[keyof D & string][] {
    return [...this[items].read().values()] as D[keyof D & string][];
  }
  has(key: string): boolean {
    return this[items].read().has(key);
  }
  /** The module of a name. */
  get<K extends keyof D & string>(key: K): D[K] {
    return named("ModuleDict.get", "module", this[items].read(), key) as D[K];
  }
  /** Adds a module, or puts it in the place of another. */
  set<K extends keyof D & string>(key: K, module: D[K]): this {
    requireName("ModuleDict.set", key);
    requireModule("ModuleDict.set", module);
    this[items].change((held) => held.set(key, module));
    return this;
  }
  /** Adds modules, each in the place of another of its name. */
  update(modules: Partial<D>): this {
    for (const [key, module] of Object.entries(modules)) this.set(key, module as D[keyof D & string]);
    return this;
  }
  delete(key: keyof D & string): boolean {
    return this[items].change((held) => held.delete(key));
  }
  /** Takes out the module of a name, and gives it. */
  pop<K extends keyof D & string>(key: K): D[K] {
    const taken = this.get(key);
    this.delete(key);
    return taken;
  }
  /** Takes out all modules. */
  clear(): void {
    this[items].change((held) => held.clear());
  }
}
