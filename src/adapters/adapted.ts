import type { Embedding } from "../nn/embedding.ts";
import type { Linear } from "../nn/linear.ts";
import type { Module } from "../nn/module.ts";
import type { AnyModule, contents } from "../nn/paths.ts";
import type { EmbeddingParts, LinearParts } from "./lora-layer.ts";

/**
 * A model of type M with an adapter of the name N: every `nn.Linear` and `nn.Embedding` in it may have the parts of one,
 * so that selectors of them compile and editors offer their paths.
 */
export type Adapted<M, N extends string = string> = M & AdaptedFields<M, N>;

type AdaptedFields<M, N extends string> = {
  readonly [K in Exclude<keyof M & string, keyof Module> as M[K] extends Holder ? K : never]: AdaptedField<
    M[K],
    N
  >;
} & (M extends { readonly [contents]?: infer C } ? { readonly [contents]?: AdaptedContents<C, N> } : unknown);

/** What may hold layers. */
type Holder = AnyModule | readonly unknown[] | null | undefined;

type AdaptedContents<C, N extends string> = { readonly [K in keyof C]: AdaptedField<C[K], N> };

type AdaptedField<T, N extends string> = T extends Linear
  ? T & LinearParts<N>
  : T extends Embedding
    ? T & EmbeddingParts<N>
    : T extends readonly unknown[]
      ? AdaptedContents<T, N>
      : T extends AnyModule
        ? Adapted<T, N>
        : T;
