import { bytesOf, type DType } from "../base/dtype.ts";
import { Hash, hashBytes } from "../base/hash.ts";
import { isPlain } from "../base/plain.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import { hostNode } from "../engine/trace.ts";
import { bitsOf, bytesIn } from "../nn/bits.ts";
import { Tensor } from "../tensor/tensor.ts";
import { codec } from "./codec.ts";
import type { Engine } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import { arrayOf } from "./met.ts";
import { refuseUnlike } from "./refuse-unlike.ts";

/** State beside a module's own that ranks begin with alike: an optimizer's, an average's. */
export interface KeptState {
  readonly what: string;
  /** The state as data: plain objects, numbers, texts and tensors. */
  readonly read: () => unknown;
  /** Puts such data in place. Throws, and changes nothing, where they do not fit. */
  readonly put: (state: unknown) => void;
}

/** A number, text or tensor in a state, or an object without members, and the names that lead to it. */
interface Leaf {
  readonly names: readonly string[];
  readonly value: unknown;
}

/** A leaf as rank 0 tells of it: of a tensor, what it is; its elements follow by themselves. */
interface ToldLeaf extends Leaf {
  readonly tensor: { readonly dtype: DType; readonly shape: Shape } | null;
}

/**
 * Has ranks compare the states that they begin with. Throws `GroupError` on all of them where one differs, or, if it is
 * rank 0's that all begin with, gives that to the others.
 */
export function meetStates(engine: Engine, states: readonly KeptState[], broadcasts: boolean): void {
  for (const { what, read, put } of states) {
    const leaves = leavesOf(read());
    const members = leaves.map(({ names, value }) => [names.join(" "), textOf(value)] as const);
    if (!broadcasts) {
      refuseUnlike(
        engine,
        what,
        members,
        ', or give trainStep start: "broadcast", which takes that of rank 0',
      );
      continue;
    }
    const digest = hashBytes(new TextEncoder().encode(JSON.stringify(members)));
    if (new Set(gatherTexts(engine, "a step", digest)).size === 1) continue;
    const given = fromRankZero(engine, leaves);
    if (engine.rank !== 0) put(given);
  }
}

function leavesOf(state: unknown): Leaf[] {
  const leaves: Leaf[] = [];
  const look = (value: unknown, names: readonly string[]): void => {
    const members = isPlain(value) ? Object.entries(value) : [];
    if (members.length === 0) leaves.push({ names, value });
    for (const [name, each] of members) look(each, [...names, name]);
  };
  look(state, []);
  return leaves;
}

/** A text that is the same where a leaf is, to the bit. */
function textOf(value: unknown): string {
  if (!(value instanceof Tensor)) return Object.is(value, -0) ? "-0" : String(value);
  const hash = new Hash();
  for (const piece of bytesIn(value, "trainStep")) hash.add(piece);
  return `${value.dtype}${shapeText(value.shape)} ${hash.text}`;
}

/** The state that rank 0 has, at all ranks. */
function fromRankZero(engine: Engine, leaves: readonly Leaf[]): unknown {
  const isFirst = engine.rank === 0;
  const own = leaves.map(({ names, value }): ToldLeaf => {
    if (!(value instanceof Tensor)) return { names, value, tensor: null };
    return { names, value: null, tensor: { dtype: value.dtype, shape: [...value.shape] } };
  });
  const told = engine.broadcast("a step", isFirst ? codec().serialize(own) : null, 0);
  const state = {};
  for (const [i, { names, value, tensor }] of (codec().deserialize(told) as ToldLeaf[]).entries()) {
    let given = value;
    if (tensor !== null) {
      const { dtype, shape } = tensor;
      const bits = isFirst ? bytesOf(bitsOf(leaves[i]!.value as Tensor, "trainStep")) : null;
      const elements = arrayOf(dtype, engine.broadcast("a step", bits, 0));
      given = new Tensor(hostNode(elements, dtype, shape));
    }
    let at: Record<string, unknown> = state;
    for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    at[names.at(-1)!] = given;
  }
  return state;
}
