import type { Module } from "../nn/module.ts";
import type { ModuleDict } from "../nn/module-dict.ts";
import type { ModuleList } from "../nn/module-list.ts";
import type { Sequential } from "../nn/sequential.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Selector, SelectorPredicate } from "./selector.ts";

/**
 * Paths and selectors as types, so that the compiler checks them where a module's class is known: a misspelt path
 * does not compile, and editors complete the right ones. Where all that is known is `Module`, any string goes.
 */

/** How deep types look; below, any string goes. A number here is how many levels are left. */
type Less = [never, 0, 1, 2, 3, 4, 5, 6, 7, 8];
type Depth = 8;

/** A place in an array or list: a number, `*`, or braces. */
type Index = `${number}` | "*" | `{${string}}`;

/** What walking finds under each name of a module: its fields, or the items of a container. */
type Members<M> =
  M extends Sequential<infer L>
    ? Items<L>
    : M extends ModuleList<infer I>
      ? { [N in Index]: I }
      : M extends ModuleDict<infer D>
        ? D
        : {
            [K in keyof M & string as M[K] extends ((...args: never) => unknown) | string | number | boolean
              ? never
              : K]: NonNullable<M[K]>;
          };

/** The items of a tuple by place, or of an array at any. */
type Items<L> = L extends readonly unknown[]
  ? number extends L["length"]
    ? { [N in Index]: L[number] }
    : { [K in keyof L & `${number}`]: L[K] }
  : never;

/** Whether the class of a module is known: it has members of its own. */
type Known<M> = Module extends M ? false : true;

/** The paths of what is at K: of a parameter its own, of modules those inside. `What` says whose paths are wanted. */
type At<V, K extends string, What extends "parameter" | "module", D extends number> = V extends Parameter
  ? What extends "parameter"
    ? K
    : never
  : V extends Module
    ? (What extends "module" ? K : never) | `${K}.${Below<V, What, D>}`
    : V extends readonly unknown[]
      ? { [I in keyof Items<V> & string]: At<Items<V>[I], `${K}.${I}`, What, D> }[keyof Items<V> & string]
      : never;

type Below<M, What extends "parameter" | "module", D extends number> = D extends 0
  ? string
  : Known<M> extends false
    ? string
    : Each<Members<M>, What, Less[D]>;

type Each<F, What extends "parameter" | "module", D extends number> = {
  [K in keyof F & string]: At<NonNullable<F[K]>, K, What, D>;
}[keyof F & string];

/** The paths of a module's parameters: `"hiddenTask1.weight" | "output.weight"`. */
export type ParameterPath<M extends Module> = Below<M, "parameter", Depth>;

/** The paths of the modules inside a module. */
export type ModulePath<M extends Module> = Below<M, "module", Depth>;

/** The last segment of a path. */
type Last<P extends string> = P extends `${string}.${infer Rest}` ? Last<Rest> : P;

/** The globs and paths that name something in a module. */
export type PathGlob<M extends Module> =
  | "**"
  | ParameterPath<M>
  | `${ModulePath<M>}.${"*" | "**"}`
  | `${"*" | "**"}.${Last<ParameterPath<M>>}`
  | `**.${Last<ModulePath<M>>}.**`;

/** A selector whose paths the compiler has checked. */
export type SelectorOf<M extends Module> =
  | PathGlob<M>
  | `!${PathGlob<M>}`
  | RegExp
  | Module
  | Parameter
  | SelectorPredicate
  | readonly SelectorOf<M>[];

/** What may be passed as a selector: one that has been checked, or one known only as the program runs. */
export type Checked<M extends Module, S extends Selector> = SelectorOf<M> | Unchecked<S>;

/** A selector of a type that says no more than that it is, or holds, strings. */
type Unchecked<S> = S extends string
  ? string extends S
    ? Selector
    : never
  : S extends readonly (infer E)[]
    ? string extends E
      ? S
      : never
    : never;
