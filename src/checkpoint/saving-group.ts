import { errorText } from "../base/error-text.ts";
import {
  ArgumentError,
  CheckpointError,
  FileError,
  GroupError,
  RankError,
  SafetensorsError,
} from "../base/errors.ts";
import { threefry2x32 } from "../base/threefry.ts";
import { roundsUnderWay } from "../optim/rounds.ts";
import { getRandomState, type RandomState } from "../tensor/draws.ts";
import { refuseOthers, takingPart, trainedBy } from "./contents.ts";
import type { Meet, SavingGroup } from "./meet.ts";
import type { SaveOptions } from "./save-options.ts";

/** What a rank says of its part. */
interface Said {
  readonly error?: string;
  /** Whether the error is that a file is damaged, or cannot be read. */
  readonly damaged?: boolean;
  /** What must be the same on all. */
  readonly about?: string;
  readonly random?: RandomState;
}

/** How the ranks of a group meet; null without one, and for a group of one. Throws `ArgumentError` for what is none. */
export function meetingOf(what: string, group: SavingGroup | undefined): Meet | null {
  if (group === undefined) return null;
  if (typeof group?.forCheckpoint !== "function")
    throw new ArgumentError(`${what}: group is no group of ranks; give what distributed.group() gives`);
  return group.forCheckpoint();
}

/** Whether an error says that a file is damaged or cannot be read, here or on the rank that has told of it. */
export const isDamage = (error: unknown): error is Error =>
  error instanceof SafetensorsError ||
  error instanceof FileError ||
  (error instanceof RankError && error.cause instanceof SafetensorsError);

/** Does this rank's part, and says to all how that went. Throws its own error, and that of another as `RankError`. */
function allTogether<T>(meet: Meet, what: string, rank: number, part: () => readonly [T, Said]): [T, Said[]] {
  let own: unknown;
  let done: readonly [T, Said] | null = null;
  try {
    done = part();
  } catch (error) {
    own = error;
  }
  const said: Said =
    done?.[1] ??
    ({
      error: errorText(own),
      damaged: isDamage(own),
    } as const);
  let all: Said[];
  try {
    all = meet(JSON.stringify(said)).map((text) => JSON.parse(text) as Said);
  } catch (error) {
    throw done === null ? own : error;
  }
  if (done === null) throw own;
  const failed = all.findIndex(({ error }) => error !== undefined);
  if (failed >= 0) {
    const { error, damaged } = all[failed]!;
    const message = `${what}: rank ${failed} has failed, so it has on all ranks: ${error}`;
    throw new RankError(message, { rank: failed, ...(damaged && { cause: new SafetensorsError(error!) }) });
  }
  const other = all.findIndex(({ about }) => about !== said.about);
  if (other >= 0)
    throw new GroupError(
      `${what}: ranks do not mean the same: ${said.about} on rank ${rank}, ${all[other]!.about} on rank ${other}. Nothing was done.`,
    );
  return [done[0], all];
}

/**
 * Has rank 0 write a checkpoint, with the random states of all ranks, while the others wait: what fails on one of them
 * fails on all. Without a group, and in a group of one, it is just written.
 */
export function savedByRankZero(
  what: string,
  options: SaveOptions,
  about: string,
  write: (randomOf?: readonly RandomState[]) => void,
): void {
  const meet = meetingOf(what, options?.group);
  if (meet === null) {
    write();
    return;
  }
  const { rank } = options.group!;
  const [, all] = allTogether(meet, what, rank, () => {
    refuseOthers(what, options);
    options.signal?.throwIfAborted();
    const round = roundsUnderWay(trainedBy(options.module, takingPart(what, options)))[0];
    if (round !== undefined)
      throw new CheckpointError(
        `${what}: a trainStep has made ${round.position} of the ${round.calls} calls of an update, and their sums are each rank's own, which a checkpoint of a group does not have. Save after the last call, or make the update with what there is before: await step.flush().`,
      );
    return [null, { about, random: { ...getRandomState() } }];
  });
  allTogether(meet, what, rank, () => {
    if (rank === 0) write(all.map(({ random }) => random!));
    return [null, {}];
  });
}

/** Gives what a load asks before it puts anything in place: whether all ranks can, and from the same checkpoint. */
export function loadTogether(what: string, group: SavingGroup | undefined): LoadMeeting {
  const meet = meetingOf(what, group);
  let met = meet === null;
  return {
    agree(about) {
      if (met) return;
      met = true;
      allTogether(meet!, what, group!.rank, () => [null, { about }]);
    },
    fail(error) {
      if (met) return;
      met = true;
      allTogether(meet!, what, group!.rank, () => {
        throw error;
      });
    },
  };
}

/** What a load tells the other ranks, once. */
export interface LoadMeeting {
  /** That it can be done here, of the checkpoint that `about` tells from others; throws where it cannot on another. */
  agree(about: string): void;
  /** That it cannot. */
  fail(error: unknown): void;
}

/**
 * The random state of a rank, of those that a checkpoint has by rank. One that there was no rank for goes on from rank
 * 0's place, with a seed of its own made of rank 0's; where all ranks had one state, that is its too.
 */
export function randomStateOf(all: readonly RandomState[], rank: number): RandomState {
  const first = all[0]!;
  if (rank < all.length) return all[rank]!;
  if (all.every(({ seed, drawn }) => seed === first.seed && drawn === first.drawn)) return first;
  const high = Math.floor(first.seed / 2 ** 32);
  return { seed: threefry2x32(first.seed | 0, high | 0, rank, 0)[0] >>> 0, drawn: first.drawn };
}
