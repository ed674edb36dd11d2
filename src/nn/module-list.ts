import { Items, items, placeIn, requireModule } from "./items.ts";
import { type Member, Module } from "./module.ts";
import type { contents } from "./paths.ts";

/**
 * Modules in a row, found by walking under their index.
 *
 * Takes a list of `modules`, none unless given; gives a module without a `forward` of its own, which can be
 * iterated: `at(i)` is a module of it, negative ones counted from the end.
 * Throws `ArgumentError` for what is no module, `IndexError` for an index that is not there.
 * Source: `torch.nn.ModuleList`.
 * Example: `[...new nn.ModuleList([new nn.Linear(2, 3), new nn.Linear(3, 1)])].reduce((x, layer) => layer.forward(x), randn([4, 2]))`.
 */
export class ModuleList<M extends Module = Module> extends Module {
  declare readonly [contents]?: readonly M[];
  private readonly [items]: Items<M[]>;

  constructor(modules: Iterable<M> = []) {
    super();
    const given = [...modules];
    for (const module of given) requireModule("ModuleList", module);
    this[items] = new Items(given);
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this[items].read().map((item, i): [string, Member] => [String(i), item])];
  }

  protected override setMember(name: string, module: Module): void {
    if (Object.hasOwn(this, name.split(".")[0]!)) super.setMember(name, module);
    else this.set(Number(name), module as M);
  }

  get length(): number {
    return this[items].read().length;
  }
  [Symbol.iterator](): Iterator<M> {
    return this[items].read()[Symbol.iterator]();
  }
  /** The module at an index; negative ones count from the end. */
  at(index: number): M {
    return this[items].read()[placeIn("ModuleList.at", index, this.length)]!;
  }
  /** A list of the modules from `start` up to and without `end`, as an array's `slice`; the modules are the same ones. */
  slice(start?: number, end?: number): ModuleList<M> {
    return new ModuleList(this[items].read().slice(start, end));
  }
  /** Adds a module at the end. */
  append(module: M): this {
    return this.extend([module]);
  }
  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    const added = [...modules];
    for (const module of added) requireModule("ModuleList.extend", module);
    this[items].change((held) => held.push(...added));
    return this;
  }
  /** Puts a module before the one at an index; at the length, at the end. */
  insert(index: number, module: M): this {
    requireModule("ModuleList.insert", module);
    const place = placeIn("ModuleList.insert", index, this.length + 1, this.length);
    this[items].change((held) => held.splice(place, 0, module));
    return this;
  }
  /** Puts a module in the place of the one at an index. */
  set(index: number, module: M): this {
    requireModule("ModuleList.set", module);
    const place = placeIn("ModuleList.set", index, this.length);
    this[items].change((held) => held.splice(place, 1, module));
    return this;
  }
  /** Takes out the module at an index, the last unless another is named, and gives it. */
  pop(index = -1): M {
    const place = placeIn("ModuleList.pop", index, this.length);
    return this[items].change((held) => held.splice(place, 1))[0]!;
  }

  /** Modules that print alike are printed once, with their range. */
  protected override childLines(): [string, string][] {
    const runs: { first: number; last: number; text: string }[] = [];
    for (const [i, item] of this[items].read().entries()) {
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
