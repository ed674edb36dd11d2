import { RankError } from "../base/errors.ts";
import { type Engine, Interrupted } from "./engine.ts";
import { gatherTexts } from "./gather-texts.ts";

/** What a rank has failed by. */
export interface Failed {
  readonly rank: number;
  readonly text: string;
}

/**
 * After a meeting to which a rank has come with an interruption: which ranks have failed, and by what. This one says what
 * it has failed by, or nothing. All ranks come here.
 */
export function failedRanks(engine: Engine, own: string): Failed[] {
  const all = gatherTexts(engine, "the end of a step that has failed", own);
  return all.flatMap((text, rank) => (text === "" ? [] : [{ rank, text }]));
}

/** The ranks that have failed beside the first, for an error that quotes that one. */
export const alsoFailed = ([, ...others]: readonly Failed[]): string =>
  others.length > 0 ? ` (so have ranks ${others.map(({ rank }) => rank).join(", ")})` : "";

/**
 * Does something with the other ranks that is no call of a step. Where another rank comes to the meeting with a call that
 * has failed there, throws `RankError`; where it only tries a step once more, this is tried once more too.
 */
export function withOthers<T>(engine: Engine, what: string, work: () => T): T {
  for (;;)
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      const failed = failedRanks(engine, "");
      const [first] = failed;
      if (first === undefined) continue;
      throw new RankError(
        `rank ${first.rank}${alsoFailed(failed)} has failed in a call, while rank ${engine.rank} was in ${what}: ${first.text}`,
        { rank: first.rank },
      );
    }
}
