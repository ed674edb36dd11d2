import { parseJson, usualBounds } from "../../base/bounded-json.ts";
import { ArgumentError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";

/** A value as a case holds it: a number or nested arrays of numbers. */
export type Value = number | readonly Value[];

/** A layer of a case: its kind and options. */
export interface ModuleSpec {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** The optimizer of a case, as PyTorch's class is called, with options in camelCase; groups beside the default one. */
export interface OptimizerSpec {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly groups?: readonly {
    readonly parameters: readonly string[];
    readonly options: Readonly<Record<string, unknown>>;
  }[];
}

/** One training step of a case. */
export interface StepSpec {
  readonly task: string;
  readonly input: readonly (readonly number[])[];
  readonly target: readonly number[];
  readonly zeroGrad: "null" | "zero";
  readonly freeze: {
    readonly method: "none" | "requiresGrad" | "gradNull";
    readonly parameters: readonly string[];
  };
}

/** What must hold after a step. */
export interface Expected {
  readonly loss: number;
  readonly parameters: Readonly<Record<string, Value>>;
  readonly state: Readonly<Record<string, Readonly<Record<string, Value>>>>;
}

/** A recorded training run. */
export interface ReplayCase {
  readonly name: string;
  readonly source: string;
  readonly modules: Readonly<Record<string, ModuleSpec>>;
  readonly tasks: Readonly<Record<string, readonly string[]>>;
  readonly loss: string;
  readonly optimizer: OptimizerSpec;
  readonly parameters: Readonly<Record<string, Value>>;
  readonly steps: readonly StepSpec[];
  readonly expected: readonly Expected[];
}

/** The most bytes of a file of cases, unpacked, and the most values in it: numbers, nearly all. */
const mostBytes = 2 ** 28;
const mostValues = 2 ** 25;

/** The cases in a file, plain JSON or gzip. */
export function readCases(file: string): ReplayCase[] {
  const { readFileSync, statSync } = process.getBuiltinModule("node:fs");
  const { gunzipSync } = process.getBuiltinModule("node:zlib");
  let content: { format?: unknown; cases?: unknown };
  try {
    // A few bytes may unpack to anything.
    if (statSync(file).size > mostBytes) throw new Error(`it has more than ${mostBytes} bytes`);
    const bytes = readFileSync(file);
    const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const text = (gzip ? gunzipSync(bytes, { maxOutputLength: mostBytes }) : bytes).toString("utf8");
    content = parseJson(text, { ...usualBounds, values: mostValues }) as typeof content;
  } catch (error) {
    throw new ArgumentError(printable(`replay: ${file} cannot be read: ${(error as Error).message}`));
  }
  if (content?.format !== "replay/1" || !Array.isArray(content.cases))
    throw new ArgumentError(
      `replay: ${file} has format ${JSON.stringify(content?.format)}, not "replay/1" with a list of cases`,
    );
  return content.cases as ReplayCase[];
}
