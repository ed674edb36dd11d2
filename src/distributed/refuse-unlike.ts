import { GroupError } from "../base/errors.ts";
import { hashBytes } from "../base/hash.ts";
import type { Engine } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";
import { ranksText } from "./ranks-text.ts";

/**
 * Has ranks compare what they must have alike, each thing as its name and a hash: by one exchange of 16 characters, and
 * of all names and hashes where those differ. Throws `GroupError` on all ranks then, which says what is where, with a
 * further remedy if there is one.
 */
export function refuseUnlike(
  engine: Engine,
  what: string,
  members: readonly (readonly [name: string, hash: string])[],
  remedy = "",
): void {
  const list = JSON.stringify(members);
  const digests = gatherTexts(engine, "a step", hashBytes(new TextEncoder().encode(list)));
  if (digests.every((digest) => digest === digests[0])) return;
  const all = gatherTexts(engine, "a step", list).map(
    (told) => new Map(JSON.parse(told) as [name: string, hash: string][]),
  );
  const names = [...new Set(all.flatMap((own) => [...own.keys()]))];
  const unlike = names.flatMap((name) => {
    const others = all.flatMap((own, rank) => (own.get(name) === all[0]!.get(name) ? [] : [rank]));
    return others.length === 0 ? [] : [`${name} on ${ranksText(others)}`];
  });
  const shown = unlike.slice(0, 8).join("; ") + (unlike.length > 8 ? `; and ${unlike.length - 8} more` : "");
  throw new GroupError(
    `${what} is not what it is on rank 0: ${shown}. Nothing was updated. Something has written it on some ranks only: ` +
      `write it on all of them, or load one checkpoint on all${remedy}.`,
  );
}
