import type { Shape } from "../base/shape.ts";
import type { Resident } from "../engine/trace.ts";

/** A node of a graph: what an update is written with has the parameter's shape, where nothing else is said. */
export type Node = Resident["node"];

/** The numbers of a parameter's state, kept on the host: its step count, and what else a rule needs. */
export interface Numbers {
  step: number;
  [name: string]: number;
}

/** One parameter in one step, as a transform sees it. `T` are names of state tensors, `S` of scalars. */
export interface Update<O, T extends string = never, S extends string = never> {
  /** The parameter's value, as the transforms before have left it. */
  readonly value: Node;
  /** Its gradient, as the transforms before have left it. */
  readonly gradient: Node;
  /** The state tensors that `tensors` asked for, as they are before this step. */
  readonly state: { readonly [K in T]: Node };
  /** A number of `perGroup` or `perParameter`, repeated to the parameter's shape, or to another. */
  scalar(name: S, shape?: Shape): Node;
  /** Whether an option is true, or not zero. Only this and `choice` may decide which nodes an update is made of. */
  on(option: keyof O & string): boolean;
  /** The value of an option that the optimizer's definition calls structural. */
  choice<K extends keyof O & string>(option: K): O[K];
}

/** What a transform changes; what it leaves out stays. */
export interface Change<T extends string = never> {
  readonly value?: Node;
  readonly gradient?: Node;
  readonly state?: { readonly [K in T]?: Node };
}

/**
 * One link of an optimizer's chain: it changes the gradient, the value or state of one parameter, elementwise where it
 * can, so that a whole chain can fuse with what makes the gradient. Numbers that vary are declared, not computed in `update`:
 * they are computed in f64 on the host at every step, captured or not.
 */
export interface Transform<O, T extends string = never, S extends string = never> {
  readonly name: string;
  /** Names of the state tensors it needs for a value of a shape. */
  tensors?(on: (option: keyof O & string) => boolean, shape: Shape): readonly T[];
  /**
   * The shapes of state tensors that have not the value's: along each dimension its size, or 1 for what all slices of
   * a part share, of which each has a copy when the part is cut.
   */
  readonly shapes?: { readonly [K in T]?: (shape: Shape) => Shape };
  /** What each element of a state tensor starts from, where that is not 0. */
  readonly initial?: { readonly [K in T]?: (options: O) => number };
  /** The state's numbers beside `step`, at the start. */
  numbers?(options: O): Omit<Numbers, "step">;
  /** Changes the numbers at the start of a step (`step` has been counted already), and at its end. */
  advance?(numbers: Numbers, options: O): void;
  settle?(numbers: Numbers, options: O): void;
  /** Scalars that all parameters of a group share. */
  readonly perGroup?: { readonly [K in S]?: (options: O) => number };
  /** Scalars that depend on the parameter's own numbers, or on the shape of what is updated. */
  readonly perParameter?: { readonly [K in S]?: (options: O, numbers: Numbers, shape: Shape) => number };
  update(x: Update<O, T, S>): Change<T>;
}

/** A transform of whatever state and scalars, as an optimizer's chain holds them. */
export type AnyTransform<O> = Transform<O, string, string>;

/** Forgets which names a transform uses, so that it can stand in a chain with others. */
export const link = <O, T extends string, S extends string>(transform: Transform<O, T, S>): AnyTransform<O> =>
  transform as unknown as AnyTransform<O>;
