import type { AnyBuffer, AnyModule, AnyParameter, Anything, Below, NameIn, PathGlob, Step } from "./paths.ts";

/**
 * Paths and globs that the compiler checks. Each string is walked on its own (globs, braces, exclusions and all, as when
 * the program runs), so what it costs is its length; paths are listed for an error or an editor only.
 */

/** What a path, or all in a glob, may lead to. */
interface Ends {
  parameter: AnyParameter;
  buffer: AnyBuffer;
  stored: AnyParameter | AnyBuffer;
  module: AnyModule;
}

/** Names of what a path may lead to. */
export type End = keyof Ends;

/** S, if it is a path or glob that leads to what is wanted in a module of type M; else what is nearest to it. */
export type Path<M, S extends string, W extends keyof Ends> = string extends S
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
  W extends "module" | "buffer"
    ? Below<V, W, "*">
    : PathGlob<V>
) extends infer Path extends string
  ? `${P}${Path}`
  : never;

// Paths of one thing, without globs.

/** S, if it is the path of one thing that is wanted ("": the module itself); else the paths that are right. */
export type PathTo<M, S extends string, W extends "parameter" | "buffer" | "module"> = string extends S
  ? S
  : S extends ""
    ? W extends "module"
      ? S
      : Below<M, W, `${number}`>
    : S extends `${string}${"*" | "{" | "[" | "!"}${string}`
      ? Below<M, W, `${number}`>
      : Path<M, S, W>;

/** What a path leads to in a module of type M; T where nothing is known of it. */
export type AtPath<M, S extends string, W extends End, T> = S extends ""
  ? M
  : string extends S
    ? T
    : // What is left open in a class, where M is its `this`, is a T at least.
      Ending<Walk<M, S>, W, T> extends infer V extends T
      ? V
      : T;

type Ending<V, W extends End, T> = V extends Anything ? T : V extends Ends[W] ? V : never;

/** The forward pass that is called at a place of type V, which what is put there must have too. */
export type ForwardAt<V> = V extends { forward: infer F } ? { forward: F } : unknown;

/** A module of type M with one of type N at a path: what is known of it there is in its type. */
export type Replaced<M, S extends string, N> = S extends `${infer First}.${infer Rest}`
  ? First extends keyof M
    ? M & { readonly [K in First]: Replaced<NonNullable<M[First]>, Rest, N> }
    : M
  : S extends keyof M
    ? M & { readonly [K in S]: N }
    : M;
