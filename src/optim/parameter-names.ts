import { type Module, namedFrom } from "../nn/module.ts";
import type { Parameter } from "../tensor/parameter.ts";

/** From where parameters are named. */
export interface NamingOptions {
  /** The module whose paths they get; by default the one that the optimizer was made with. */
  module?: Module;
}

/** How an optimizer came by a parameter: the name that was given with it, and the module that it was given in. */
export interface Origin {
  readonly name: string | null;
  readonly module: Module | null;
}

/** The names under which the parameters of an optimizer are saved, and found again. */
export interface ParameterNames {
  /** Each parameter under its own name. */
  readonly own: ReadonlyMap<string, Parameter>;
  /** The further paths of tied parameters. */
  readonly tied: ReadonlyMap<string, Parameter>;
  /** Of the names, those that say no more than the group and the place in it. */
  readonly places: ReadonlySet<string>;
  /** Paths of the module that lead to parameters which the optimizer does not have. */
  readonly foreign: ReadonlySet<string>;
}

/** What the name of a parameter begins with that its module no longer holds: another is there, or nothing. */
const formerly = "former:";

/** Whether a name is that of a parameter which its module no longer holds. */
export const isFormer = (name: string): boolean => name.startsWith(formerly);

/** Under what a name would be, were its parameter no longer held by its module. */
export const asFormer = (name: string): string => formerly + name;

/**
 * Names parameters by their paths in `root`. What is not in there, or everything where there is no root, has the name
 * that it was given with, its path in the module that it was given in, or its path in a module that holds all of them;
 * where those are missing or not unique, its group and place.
 */
export function nameParameters(
  groups: readonly { readonly params: readonly Parameter[] }[],
  origins: ReadonlyMap<Parameter, Origin>,
  root: Module | null,
): ParameterNames {
  const all = groups.flatMap(({ params }) => params);
  const mine = new Set(all);
  const names = new Map<Parameter, string>();
  const taken = new Set<string>();
  const give = (p: Parameter, name: string): void => {
    names.set(p, name);
    taken.add(name);
  };
  const unnamed = (): Parameter[] => all.filter((p) => !names.has(p));
  const giveByPath = (module: Module): void => {
    const { once, paths } = module.parameterTree();
    for (const [path, p] of once) if (mine.has(p) && !names.has(p) && !taken.has(path)) give(p, path);
    for (const [path] of paths) taken.add(path);
  };
  /** Gives the names that are unique: all of them or, unless each stands by itself, none. */
  const giveUnique = (nameOf: (p: Parameter) => string | null | undefined, each: boolean): void => {
    const found = unnamed().map((p) => [p, nameOf(p) || null] as const);
    const counts = new Map<string | null, number>();
    for (const [, name] of found) counts.set(name, (counts.get(name) ?? 0) + 1);
    const usable = found.filter(([, name]) => name !== null && counts.get(name) === 1 && !taken.has(name));
    if (each || usable.length === found.length) for (const [p, name] of usable) give(p, name!);
  };
  if (root !== null) giveByPath(root);
  const holds = holding();
  for (const p of unnamed()) {
    const origin = origins.get(p);
    const module = origin?.module ?? namedFrom(p);
    if (module === null || holds(module, p)) continue;
    const name = asFormer(origin?.name ?? p.label);
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}#${i}`;
    give(p, free);
  }
  giveUnique((p) => (origins.get(p)?.module ? null : origins.get(p)?.name), true);
  giveUnique((p) => origins.get(p)?.name, false);
  const shown = root ?? commonRoot(unnamed(), holds);
  if (root === null && shown !== null) giveByPath(shown);
  // A label that no walk has given is a name that the user gave.
  giveUnique((p) => (namedFrom(p) === null ? p.label : null), true);
  const places = new Set<string>();
  for (const [g, { params }] of groups.entries())
    for (const [i, p] of params.entries()) {
      if (names.has(p)) continue;
      const place = `${g}.${i}`;
      give(p, place);
      places.add(place);
    }
  const paths = shown?.parameterTree().paths ?? [];
  return {
    own: new Map(all.map((p) => [names.get(p)!, p])),
    tied: new Map(paths.filter(([path, p]) => mine.has(p) && names.get(p) !== path)),
    places,
    foreign: new Set(paths.filter(([, p]) => !mine.has(p)).map(([path]) => path)),
  };
}

type Holds = (module: Module, p: Parameter) => boolean;

/** Tells whether a module holds a parameter; what a module holds is looked up once. */
function holding(): Holds {
  const held = new Map<Module, ReadonlySet<Parameter>>();
  return (module, p) => {
    let parameters = held.get(module);
    if (parameters === undefined) held.set(module, (parameters = new Set(module.parameters())));
    return parameters.has(p);
  };
}

/** A module from which one of the parameters was named, and which holds all that were named from any. */
function commonRoot(parameters: readonly Parameter[], holds: Holds): Module | null {
  const roots = new Set(parameters.map(namedFrom));
  for (const root of roots)
    if (root !== null && parameters.every((p) => namedFrom(p) === null || holds(root, p))) return root;
  return null;
}
