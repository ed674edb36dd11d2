/** Says a text to all ranks, and gives what each of them says, by rank. All must come to it; it waits in place. */
export type Meet = (text: string) => string[];

/** Ranks that save and load together, as `distributed.group()` gives them. */
export interface SavingGroup {
  readonly rank: number;
  readonly size: number;
  /** How its ranks tell each other how a save or a load stands; null for a group of one. */
  forCheckpoint(): Meet | null;
}
