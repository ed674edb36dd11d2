import { parseJson } from "../base/bounded-json.ts";
/** What a checkpoint of thaw says of itself, in short. */
export interface CheckpointSummary {
  /** The arithmetic that its numbers come from. */
  readonly arithmetic: string;
  readonly optimizer: OptimizerSummary | null;
  /**
   * What was frozen when it was written, because it was set to be or because the last step left it out: paths, those in
   * part with the text of their region.
   */
  readonly frozen: readonly string[];
  /** Those of them that were not set to be frozen: the step left them out. */
  readonly leftOut: readonly string[];
}

/** An optimizer's state, in short. */
export interface OptimizerSummary {
  readonly name: string;
  /** How many parameters, or parts of them, have a state. */
  readonly states: number;
  readonly tensors: number;
  readonly bytes: number;
  /** The fewest and the most steps of a state, or the one number that all have; null where none counts steps. */
  readonly steps: readonly number[] | null;
}

type Fields = { readonly [name: string]: unknown };

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

/**
 * What the metadata of a file say of a checkpoint of thaw; null where they are of something else. `load` checks a record
 * strictly: this only looks at what is there.
 */
export function summaryOf(
  metadata: Readonly<Record<string, string>>,
  tensors: readonly { readonly name: string; readonly bytes: number }[],
): CheckpointSummary | null {
  const record = parsed(metadata.thaw);
  if (record === null || typeof record.arithmetic !== "string") return null;
  const set = new Map(
    Object.entries(fieldsOf(record.frozen)).map(([path, part]) => {
      const { text } = fieldsOf(part);
      return [path, typeof text === "string" ? path + text : path];
    }),
  );
  // What a step leaves out has what is set to be frozen in it.
  const left = new Map(
    Object.entries(fieldsOf(record.leftOut)).map(([path, text]) => [path, path + String(text)]),
  );
  const leftOut = [...left].filter(([path, text]) => set.get(path) !== text).map(([, text]) => text);
  const frozen = [...new Map([...set, ...left]).values()];
  const { arithmetic, optimizer } = record;
  return {
    arithmetic,
    optimizer: isFields(optimizer) ? optimizerOf(optimizer, tensors) : null,
    frozen,
    leftOut,
  };
}

function optimizerOf(
  { name, state }: Fields,
  tensors: readonly { readonly name: string; readonly bytes: number }[],
): OptimizerSummary {
  const states = Object.values(fieldsOf(state));
  const counts = states.map((of) => fieldsOf(of).step).filter((step) => typeof step === "number");
  const [least, most] = counts.reduce(
    ([x, y], step) => [Math.min(x, step), Math.max(y, step)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const own = tensors.filter((tensor) => tensor.name.startsWith("optimizer."));
  return {
    name: typeof name === "string" ? name : "unknown",
    states: states.length,
    tensors: own.length,
    bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
    steps: counts.length === 0 ? null : least === most ? [least] : [least, most],
  };
}

/** A record's fields; null for text that has none. */
function parsed(text: string | undefined): Fields | null {
  try {
    const value: unknown = parseJson(text ?? "null");
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}
