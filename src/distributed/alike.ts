import { type Described, describeList, type Hashed } from "./contribution.ts";

// What the losses and hooks of all ranks must do alike, of which ranks tell each other a hash before each update.

/** What is said of a parameter that a hook on gradients leaves out. */
export const leftOutMark = ", left out of the update";

/** What is said of random numbers that a hook on gradients draws from those which are shared in a thread. */
export const drawnMark = "random numbers of the seed ";

/** In the place of the hash of a rank that does not know yet what it will do. */
const unknown: Hashed = [0, 0];

/** The bit of the second word that says whether a rank has found in this very call what it will do. */
const fresh = 1;

const hashOf = ({ hash }: Described): Hashed => [hash[0], hash[1] & ~fresh];
const isSame = (a: Hashed, b: Hashed): boolean => a[0] === b[0] && a[1] === b[1];

/** Whether a rank does what ranks have agreed on. */
export const isAlike = (does: Described, agreed: Hashed): boolean => isSame(hashOf(does), agreed);

/** The words that a rank says of what it will do; null: it does not know yet. */
export function wordsOf(alike: Described | null, isFresh: boolean): Hashed {
  const [first, second] = alike === null ? unknown : hashOf(alike);
  return [first, second | (isFresh ? fresh : 0)];
}

/** What ranks have said of what they will do, which are two words in so many of each, from the one at `at` on. */
export interface SaidAlike {
  /** What those do that know it, or nothing where none does; null where they will not do the same. */
  readonly common: Hashed | null;
  /** Whether all that know what they will do have found it in this call. */
  readonly areFresh: boolean;
}

/** Reads that, and takes out of it when it was found, so that the words are the same where the rest is. */
export function readAlike(said: Int32Array, at: number, words: number): SaidAlike {
  let common: Hashed | null = null;
  let [areFresh, areSame] = [true, true];
  for (let i = at; i < said.length; i += words) {
    const isFresh = (said[i + 1]! & fresh) !== 0;
    said[i + 1]! &= ~fresh;
    const hash: Hashed = [said[i]!, said[i + 1]!];
    if (isSame(hash, unknown)) continue;
    if (!isFresh) areFresh = false;
    if (common !== null && !isSame(common, hash)) areSame = false;
    common = hash;
  }
  return { common: areSame ? (common ?? hashOf(describeList([]))) : null, areFresh };
}
