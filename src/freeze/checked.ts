import type { ModuleSelector } from "./module-selector.ts";
import type { AnyModule, AnyParameter, Anything, Below, NameIn, PathGlob, Step } from "./paths.ts";
import type { RegionSelector, Selector } from "./selector.ts";

/**
 * Selectors as types: where a module's class is known, a misspelt path does not compile, and editors complete the
 * right ones. Each string is walked on its own (globs, braces, exclusions and all, as when the program runs), so what
 * it costs is its length; paths are listed for an error or an editor only.
 */

/**
 * The type that a selector of type S must have to fit a module of type M: S itself where each path in it leads to
 * something there, and else those that are nearest. What is known only as the program runs goes, as `string` does.
 */
export type Checked<M, S> = [Selector] extends [S] ? SelectorOf<M> : Entry<M, S>;

/** Any selector, with the paths of a module of type M for editors to offer. */
export type SelectorOf<M> =
  | PathGlob<M>
  // Not `string`, which would swallow the paths.
  | (string & {})
  | Exclude<Selector, string | readonly Selector[]>
  | readonly SelectorOf<M>[];

type Entry<M, S> = S extends string
  ? Path<M, S, "parameter">
  : S extends readonly unknown[]
    ? [Selector] extends [S[number]]
      ? S
      : { readonly [I in keyof S]: Entry<M, S[I]> }
    : S extends ModuleSelector<infer P>
      ? ModuleSelector<Path<M, P, "module">>
      : S extends RegionSelector<infer P>
        ? RegionSelector<Path<M, P, "parameter">>
        : S;

/** What a path, or all in a glob, may lead to. */
interface Ends {
  parameter: AnyParameter;
  module: AnyModule;
}

type Path<M, S extends string, W extends keyof Ends> = string extends S
  ? S
  : Spelt<M, S, Braces<Unindexed<Unmarked<S>>>, W>;

/**
 * S, if any of the globs G that it stands for leads to what is wanted. The verdict is in a template because of what the
 * compiler does where M is a type parameter: it tries the condition with `any` for M, sees that a text of any kind is
 * not "wrong", and so lets S pass.
 */
type Spelt<
  M,
  S extends string,
  G extends string,
  W extends keyof Ends,
> = `${Verdict<Walk<M, G>, G, W>}` extends "wrong"
  ? Or<Nearest<M, G, W, Mark<S>>, Offered<M, W, Mark<S>>> extends infer N extends string
    ? // One by one, so that a message lists them and does not call them by the name of a type.
      { [One in N]: `${One}${Index<S>}` }[N]
    : never
  : S;

type Verdict<V, G extends string, W extends keyof Ends> = [
  Reached<V, G extends `${string}**` ? AnyModule | AnyParameter : Ends[W]>,
] extends [never]
  ? "wrong"
  : "right";

type Reached<V, Wanted> = V extends Wanted | Anything ? true : never;

/** What a path or glob leads to from V. */
type Walk<V, G extends string> = G extends `${infer First}.${infer Rest}`
  ? Walk<Step<V, First>, Rest>
  : Step<V, G>;

// The parts of a selector: `!`, the path, `[…]`.

type Mark<S extends string> = S extends `!${string}` ? "!" : "";
type Unmarked<S extends string> = S extends `!${infer T}` ? T : S;
type Index<S extends string> = S extends `${string}[${infer I}]` ? `[${I}]` : "";
type Unindexed<S extends string> = S extends `${infer T}[${string}]` ? T : S;

/** The globs that one with braces stands for, innermost braces first. */
type Braces<G extends string> = G extends `${infer Before}}${infer After}`
  ? Braces<`${Choices<Before>}${After}`>
  : G;

/** `a{b{c,d` as `a{bc` or `a{bd`; P is what has been gone past on the way to the last brace. */
type Choices<G extends string, P extends string = ""> = G extends `${infer Before}{${infer After}`
  ? After extends `${string}{${string}`
    ? Choices<After, `${P}${Before}{`>
    : `${P}${Before}${Split<After>}`
  : `${P}${G}`;

type Split<T extends string> = T extends `${infer First},${infer Rest}` ? First | Split<Rest> : T;

// What is nearest to a path that leads nowhere.

/** Right paths that share G's beginning; P is the part of it that has been walked. */
type Nearest<
  V,
  G extends string,
  W extends keyof Ends,
  P extends string = "",
> = G extends `${infer First}.${infer Rest}`
  ? [Step<V, First>] extends [never]
    ? Respelt<V, NameIn<V, "*">, Rest, W, P>
    : Nearest<Step<V, First>, Rest, W, `${P}${First}.`>
  : Or<OfferedIn<Step<V, G>, W, `${P}${G}.`>, Offered<V, W, P>>;

/** What is offered for a path that ends too early: what is inside the modules to which it leads. */
type OfferedIn<V, W extends keyof Ends, P extends string> = [Extract<V, AnyModule>] extends [never]
  ? never
  : Offered<V, W, P>;

/** The names in place of one that is wrong with which the rest is right; all that is there if there is none. */
type Respelt<V, K extends string, Rest extends string, W extends keyof Ends, P extends string> = Or<
  { [N in K]: Verdict<Walk<Step<V, N>, Rest>, Rest, W> extends "right" ? `${P}${N}.${Rest}` : never }[K],
  Offered<V, W, P>
>;

type Or<A, B> = [A] extends [never] ? B : A;

/** All that is there below V, after the text P. */
type Offered<V, W extends keyof Ends, P extends string> = (
  W extends "module"
    ? Below<V, "module", "*">
    : PathGlob<V>
) extends infer Path extends string
  ? `${P}${Path}`
  : never;
