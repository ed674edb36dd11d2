import type { Buffer } from "../tensor/buffer.ts";
import type { Parameter } from "../tensor/parameter.ts";

/**
 * Paths as types: what a segment of a path or glob leads to, and all paths there are. Places are kept as unions of
 * types, so twenty-four blocks of one class are one place. Fields that TypeScript calls private are not seen.
 */

/** Under this, a container tells types of paths what it holds; there is nothing as the program runs. */
export declare const contents: unique symbol;
/** Under this, `Module` tells types of paths which names are its own, and no fields of a module. */
export declare const ownNames: unique symbol;
/** Under this, `Layer` tells types of paths that it may be any layer. */
export declare const ofAnyClass: unique symbol;

/** What a module is known by: comparing one property is quicker than the whole class. */
export interface AnyModule {
  namedModules(): readonly unknown[];
}
/** What a parameter is known by. */
export type AnyParameter = Pick<Parameter, "trainable" | "frozen">;
/** What a buffer is known by. */
export type AnyBuffer = Pick<Buffer, "held" | "persistent">;

/** A place of which nothing is known, so that any name below it goes. */
export interface Anything {
  readonly anything: unique symbol;
}

/** What walking finds in a field of type T: nothing in functions, numbers, tensors. */
type Found<T> = 0 extends 1 & T
  ? never
  : T extends AnyModule | AnyParameter | AnyBuffer | readonly unknown[]
    ? T
    : never;

/** Whether no more is known of a module than that it is one, or a layer. */
type IsOpen<M> = typeof ofAnyClass extends keyof M
  ? true
  : [Exclude<keyof M, NameOfModule<M>>] extends [never]
    ? true
    : false;

/** The names that every module has. */
type NameOfModule<M> = typeof ownNames extends keyof M ? NonNullable<M[typeof ownNames]> : never;

/** A module's own fields. */
type FieldName<M> = Exclude<keyof M & string, NameOfModule<M>>;

/** What a container holds: items by place, or modules by name. */
type Contents<M> = typeof contents extends keyof M ? NonNullable<M[typeof contents]> : readonly [];

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
    : V extends AnyParameter | AnyBuffer
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
  ? FoundIn<T, K>
  : G extends K
    ? Found<T[G]>
    : G extends `${string}*${string}`
      ? FoundIn<T, K & Pattern<G>>
      : IsComputed<G> extends true
        ? Anything
        : never;

/** What is in fields together; one by one where a union would hide the others, as `any` does. */
type FoundIn<T, K extends keyof T> = 0 extends 1 & T[K] ? { [N in K]-?: Found<T[N]> }[K] : Found<T[K]>;

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
export type NameIn<V, I extends string> = V extends AnyParameter | AnyBuffer
  ? never
  : V extends readonly unknown[]
    ? ContentName<V, I>
    : V extends AnyModule
      ? IsOpen<V> extends true
        ? string
        : ContentName<Contents<V>, I> | FieldName<V>
      : string;

/** What is listed: paths of parameters, of buffers, of modules, or of parameters with globs for modules. */
type Kind = "parameter" | "buffer" | "module" | "glob";

/**
 * All paths of a kind from V down; I is written for any number. Below the eighth level any name goes, and none is
 * offered.
 */
export type Below<V, W extends Kind, I extends string, D extends number = 8> = D extends 0
  ? W extends "glob"
    ? never
    : string
  : string extends NameIn<V, I>
    ? string
    : { [K in NameIn<V, I>]: At<Step<V, K>, K, W, I, Less[D]> }[NameIn<V, I>];

type At<V, K extends string, W extends Kind, I extends string, D extends number> = V extends
  | AnyParameter
  | AnyBuffer
  ? W extends (V extends AnyParameter ? "parameter" | "glob" : "buffer")
    ? K
    : never
  : // `infer` ends the compiler's search where V is a type parameter: all that it needs to know then is `string`.
      | (Below<V, W, I, D> extends infer Path extends string ? `${K}.${Path}` : never)
      | (V extends AnyModule ? (W extends "module" ? K : W extends "glob" ? `${K}.**` : never) : never);

/** The paths of a module's parameters: `"hiddenTask1.weight" | "output.weight"`. */
export type ParameterPath<M> = Below<M, "parameter", `${number}`>;

/** The paths of the modules inside a module: `"hiddenTask1" | "output"`. */
export type ModulePath<M> = Below<M, "module", `${number}`>;

/** The paths and globs that editors offer: of each parameter, and of all in each module. Many more are right. */
export type PathGlob<M> = "**" | (Below<M, "glob", "*"> extends infer P extends string ? P : never);
