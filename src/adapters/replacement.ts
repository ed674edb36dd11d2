import { AdapterError } from "../base/errors.ts";
import { copyOfBits } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";
import { Buffer } from "../tensor/buffer.ts";
import { Parameter } from "../tensor/parameter.ts";
import { keepWidth } from "../tensor/wide-integers.ts";

type Member = Parameter | Buffer;

/** Where a parameter or buffer stands. */
interface Place {
  readonly path: string;
  readonly owner: Module;
  readonly name: string;
}

/** A parameter or buffer of a base model, and what stands in its places while an adapter is active, or merged. */
export interface Replacement {
  /** All its places; several of a tied weight. */
  readonly places: readonly Place[];
  readonly original: Member;
  readonly other: Member;
  /** The rows that are trained; null: all. */
  readonly rows: readonly number[] | null;
}

/** The places of a parameter or buffer in a model. */
export function placesOf(model: Module, member: Member): Place[] {
  const walk = { removeDuplicate: false };
  const named: [string, Member][] = [...model.namedParameters(walk), ...model.namedBuffers(walk)];
  return named
    .filter(([, found]) => found === member)
    .map(([path]) => {
      const dot = path.lastIndexOf(".");
      const name = path.slice(dot + 1);
      const owner = model.namedModules(walk).find(([at]) => at === path.slice(0, Math.max(dot, 0)))?.[1];
      if (owner === undefined || Reflect.get(owner, name) !== member)
        throw new AdapterError(
          `lora: ${path} is in an array or a container of parameters, in whose place nothing can be put; leave it out`,
        );
      return { path, owner, name };
    });
}

/** Puts what an adapter trains in its places, or what the base model has. */
export function put({ places, original, other }: Replacement, which: "original" | "other"): void {
  for (const { owner, name } of places) Reflect.set(owner, name, which === "other" ? other : original);
}

/** A parameter or buffer of its own with the same bits, that nothing freezes. */
export function copyOfMember(member: Member): Member {
  const value = copyOfBits(member, "lora");
  const copy = member instanceof Buffer ? new Buffer(value, member) : new Parameter(value);
  keepWidth(member, copy);
  return copy;
}
