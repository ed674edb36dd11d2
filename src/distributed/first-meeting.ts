import type { DType } from "../base/dtype.ts";
import { GroupError } from "../base/errors.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import { commit } from "../engine/realize.ts";
import type { Module } from "../nn/module.ts";
import { hashOf } from "../tensor/pieces.ts";
import type { Engine } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import { type KeptState, meetStates } from "./kept-states.ts";
import { type Met, storedOf, takeFromRankZero } from "./met.ts";

/** What ranks must have in common before their first step together. */
export interface InCommon {
  readonly module: Module;
  /** What else must be the same, as text by what it is: the optimizer, options of the step. */
  readonly facts: Readonly<Record<string, string>>;
  /** State beside the module's. */
  readonly states: readonly KeptState[];
}

/** A parameter or buffer as ranks tell each other of it. */
interface Told {
  readonly path: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly hash: string;
}

interface ToldAll {
  readonly facts: Readonly<Record<string, string>>;
  readonly members: readonly Told[];
}

/**
 * Compares what ranks have before their first step together. Throws `GroupError` on all of them where parameters,
 * buffers, the optimizer or the step's options differ, or, unless rank 0's are sent to the others, values or states.
 */
export function meetFirst(
  engine: Engine,
  { module, facts, states }: InCommon,
  broadcasts: boolean,
  met: Met,
): void {
  commit();
  const stored = storedOf(module);
  const members = stored.map((one): Told => {
    const { path, isBuffer } = one;
    const { storage, shape } = one.resident;
    // A buffer is each rank's own once they have met with it.
    const hash = broadcasts || (isBuffer && met.has(one)) ? "" : hashOf(storage, null);
    return { path, shape, dtype: storage.dtype, hash };
  });
  const own = JSON.stringify({ facts, members } satisfies ToldAll);
  const [first, ...others] = gatherTexts(engine, "the first call of a step", own).map(
    (told) => JSON.parse(told) as ToldAll,
  );
  for (const [i, other] of others.entries()) refuseDifference(first!, other, i + 1);
  meetStates(engine, states, broadcasts);
  if (broadcasts) takeFromRankZero(engine, stored);
  met.note(stored);
}

function refuseDifference(first: ToldAll, other: ToldAll, rank: number): void {
  const refuse = (what: string, advice = ""): never => {
    throw new GroupError(
      `Ranks differ before their first step together: ${what}. Nothing was sent.${advice}`,
    );
  };
  for (const [name, fact] of Object.entries(first.facts))
    if (other.facts[name] !== fact)
      refuse(`${name} is ${fact} on rank 0 and ${other.facts[name] ?? "not there"} on rank ${rank}`);
  const found = new Map(other.members.map((member) => [member.path, member]));
  for (const { path, shape, dtype } of first.members) {
    const same = found.get(path);
    if (same === undefined) refuse(`rank ${rank} has no ${path}, which rank 0 has`);
    const [mine, theirs] = [`${dtype}${shapeText(shape)}`, `${same!.dtype}${shapeText(same!.shape)}`];
    if (mine !== theirs) refuse(`${path} is ${mine} on rank 0 and ${theirs} on rank ${rank}`);
  }
  const known = new Set(first.members.map(({ path }) => path));
  const more = other.members.find(({ path }) => !known.has(path));
  if (more !== undefined) refuse(`rank ${rank} has ${more.path}, which rank 0 has not`);
  for (const [at, { path, hash }] of first.members.entries()) {
    if (other.members[at]!.path !== path) refuse(`${path} comes at another place on rank ${rank}`);
    if (other.members[at]!.hash !== hash)
      refuse(
        `${path} has other values on rank ${rank} than on rank 0`,
        ' Make them of one seed (manualSeed), load them, or give trainStep start: "broadcast", which takes those of rank 0.',
      );
  }
}
