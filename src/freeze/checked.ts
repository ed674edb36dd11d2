import type { End, Path } from "../nn/path-check.ts";
import type { PathGlob } from "../nn/paths.ts";
import type { ModuleSelector } from "./module-selector.ts";
import type { RegionSelector, Selector } from "./selector.ts";

/**
 * Selectors as types: where a module's class is known, a misspelt path does not compile, and editors complete the
 * right ones.
 */

/**
 * The type that a selector of type S must have to fit a module of type M: S itself where each path in it leads to
 * something there, and else those that are nearest. What is known only as the program runs goes, as `string` does. `W` is what strings may lead to:
 * parameters, unless buffers may be named too.
 */
export type Checked<M, S, W extends End = "parameter"> = [Selector] extends [S]
  ? SelectorOf<M>
  : Entry<M, S, W>;

/** Any selector, with the paths of a module of type M for editors to offer. */
export type SelectorOf<M> =
  | PathGlob<M>
  // Not `string`, which would swallow the paths.
  | (string & {})
  | Exclude<Selector, string | readonly Selector[]>
  | readonly SelectorOf<M>[];

type Entry<M, S, W extends End> = S extends string
  ? Path<M, S, W>
  : S extends readonly unknown[]
    ? [Selector] extends [S[number]]
      ? S
      : { readonly [I in keyof S]: Entry<M, S[I], W> }
    : S extends ModuleSelector<infer P>
      ? ModuleSelector<Path<M, P, "module">>
      : S extends RegionSelector<infer P>
        ? RegionSelector<Path<M, P, W>>
        : S;
