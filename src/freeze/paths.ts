import type { Layer, Module } from "../nn/module.ts";
import type { ModuleDict } from "../nn/module-dict.ts";
import type { ModuleList } from "../nn/module-list.ts";
import type { Sequential } from "../nn/sequential.ts";
import type { Parameter } from "../tensor/parameter.ts";

/**
 * Paths as types: what a segment of a path or glob leads to, and all paths there are. Places are kept as unions of
 * types, so twenty-four blocks of one class are one place. Fields that TypeScript calls private are not seen.
 */

/** Any module, and any parameter: one property each is compared, not the whole class. */
export type AnyModule = Pick<Module, "namedModules">;
export type AnyParameter = Pick<Parameter, "frozen" | "requiresGrad">;

/** A place of which nothing is known, so that any name below it goes. */
export interface Anything {
  readonly anything: unique symbol;
}

/** What walking finds in a field of type T: nothing in functions, numbers, tensors. */
type Found<T> = 0 extends 1 & T ? never : T extends AnyModule | AnyParameter | readonly unknown[] ? T : never;

/** Whether no more is known of a module than that it is one, or a layer. */
type IsOpen<M> = Module extends M ? true : keyof Layer extends keyof M ? true : false;

/** A module's own fields. */
type FieldName<M> = Exclude<keyof M & string, keyof Module>;

/** What a container holds: items by place, or modules by name. */
type Contents<M> =
  M extends ModuleDict<infer D>
    ? D
    : M extends ModuleList<infer I>
      ? readonly I[]
      : M extends Sequential<infer L>
        ? L
        : readonly [];

/** The names and numbers under which a container holds something; I stands for any number. */
type ContentName<C, I extends string> = C extends readonly unknown[]
  ? number extends C["length"]
    ? I
    : keyof C & `${number}`
  : keyof C & string;

/** What a segment G leads to from any of the places V. */
export type Step<V, G extends string> = 0 extends 1 & V
  ? Anything
  : G extends "**"
    ? Inside<V>
    : V extends AnyParameter
      ? never
      : V extends readonly unknown[]
        ? Content<V, G>
        : V extends AnyModule
          ? IsOpen<V> extends true
            ? Anything
            : Content<Contents<V>, G> | Named<V, FieldName<V>, G>
          : Anything;

type Content<C, G extends string> = C extends readonly unknown[]
  ? number extends C["length"]
    ? G extends `${number}` | `${string}*${string}`
      ? Found<C[number]>
      : never
    : `${number}` extends G
      ? Found<C[number]>
      : Named<C, keyof C & `${number}`, G>
  : Named<C, keyof C & string, G>;

/** What T has under those of its names K that G stands for. */
type Named<T, K extends keyof T, G extends string> = G extends "*"
  ? Found<T[K]>
  : G extends K
    ? Found<T[G]>
    : G extends `${string}*${string}`
      ? Found<T[K & Pattern<G>]>
      : IsComputed<G> extends true
        ? Anything
        : never;

/** `task*` as the type of the texts that it matches. */
type Pattern<G extends string> = G extends `${infer A}*${infer B}` ? `${A}${string}${Pattern<B>}` : G;

/** Whether a text is known only as the program runs: part of it is `${string}` or `${number}`. */
type IsComputed<G extends string> = Record<never, never> extends Record<G, 1> ? true : false;

/** How many levels are left to go down, one less. */
type Less = [never, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** The places V and all below them, level by level; a class that holds itself ends it where the levels do. */
type Inside<V, D extends number = 16> = D extends 0
  ? V
  : [Step<V, "*">] extends [never]
    ? V
    : V | Inside<Step<V, "*">, Less[D]>;

/** The names that lead on from V; I stands for any number. */
export type NameIn<V, I extends string> = V extends AnyParameter
  ? never
  : V extends readonly unknown[]
    ? ContentName<V, I>
    : V extends AnyModule
      ? IsOpen<V> extends true
        ? string
        : ContentName<Contents<V>, I> | FieldName<V>
      : string;

/** What is listed: paths of parameters, paths of modules, or both with globs for modules. */
type Kind = "parameter" | "module" | "glob";

/** All paths of a kind from V down, each after the text P; I is written for any number. */
export type Below<V, W extends Kind, I extends string, P extends string = ""> =
  // Where V is a type parameter, `extends string` is all that the compiler needs to know, and it looks no further.
  Listed<V, W, I, P> extends infer Path extends string ? Path : never;

/**
 * What has been written is handed down, not put in front of what comes back: the compiler does not bound its recursion
 * into the parts of a template. Below the eighth level any name goes.
 */
type Listed<V, W extends Kind, I extends string, P extends string, D extends number = 8> = D extends 0
  ? `${P}${string}`
  : string extends NameIn<V, I>
    ? `${P}${string}`
    : { [K in NameIn<V, I>]: ListedAt<Step<V, K>, W, I, `${P}${K}`, Less[D]> }[NameIn<V, I>];

type ListedAt<
  V,
  W extends Kind,
  I extends string,
  P extends string,
  D extends number,
> = V extends AnyParameter
  ? W extends "module"
    ? never
    : P
  :
      | Listed<V, W, I, `${P}.`, D>
      | (V extends AnyModule ? (W extends "module" ? P : W extends "glob" ? `${P}.**` : never) : never);

/** The paths of a module's parameters: `"hiddenTask1.weight" | "output.weight"`. */
export type ParameterPath<M extends Module> = Below<M, "parameter", `${number}`>;

/** The paths of the modules inside a module: `"hiddenTask1" | "output"`. */
export type ModulePath<M extends Module> = Below<M, "module", `${number}`>;

/** The paths and globs that editors offer: of each parameter, and of all in each module. Many more are right. */
export type PathGlob<M> = "**" | Below<M, "glob", "*">;
