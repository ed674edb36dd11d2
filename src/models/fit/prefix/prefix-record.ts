import { grouped, percent } from "../../../base/table.ts";

/** What was kept of frozen stages in a phase of a training, so that they were run once a text; or why nothing was. */
export interface PrefixRecord {
  /** What the step's report calls the phase; "" where it is the only one. */
  readonly phase: string;
  /** The path of the last module of these stages; null where none is frozen. */
  readonly upTo: string | null;
  readonly isKept: boolean;
  /** Why nothing is kept; null where something is. */
  readonly why: string | null;
  /** What part of a step's floating-point operations the stages are; null where nobody has counted. */
  readonly share: number | null;
  /** Bytes that keeping what they give for the texts of `train` takes, if all are as long as the first ones; null where nobody has counted. */
  readonly expectedBytes: number | null;
  /** Bytes that were kept, those for `eval` too, and how many of them in a file. */
  readonly bytes: number;
  readonly bytesInFile: number;
  /** Texts that another process had run, whose file was found. */
  readonly rowsFound: number;
  /** Why what was kept is in no file for other processes to find; null where it is, and where nothing is to be. */
  readonly whyNotFiled: string | null;
}

/** What a record says, in a line. */
export function prefixText(record: PrefixRecord): string {
  const { phase, upTo, isKept, why, share, expectedBytes, bytes, rowsFound, whyNotFiled } = record;
  const when = phase === "" ? "" : `${phase}: `;
  const part = share === null ? "" : `, ${percent(share)} of a step's work`;
  const size = bytes || expectedBytes;
  const taken = size === null ? "" : `, ${bytes > 0 ? "" : "about "}${grouped(size)} bytes`;
  const found = rowsFound === 0 ? "" : `; ${grouped(rowsFound)} texts had been run before`;
  const lost = whyNotFiled === null ? "" : `; not for later trainings: ${whyNotFiled}`;
  if (isKept) return `${when}run once a text and kept: all up to ${upTo}${part}${taken}${found}${lost}`;
  const would = share === null ? "" : `; it would save all up to ${upTo}${part}`;
  return `${when}nothing is kept: ${why}${would}`;
}
