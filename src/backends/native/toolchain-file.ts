import { parseJson } from "../../base/bounded-json.ts";
import type { CTarget } from "../../targets/c/target.ts";
import { node } from "./node.ts";

/** What a compiler makes, and for which machine: what is kept on disk of a toolchain. */
export interface Described {
  /** The first line of what the compiler says of itself. */
  readonly version: string;
  readonly target: CTarget;
  /** Instruction sets that its code may use, as the compiler names them; empty where the system does not list its own. */
  readonly features: readonly string[];
  /** Everything that its output depends on besides the source. */
  readonly fingerprint: string;
}

/** More bytes than any such file has. */
const most = 2 ** 18;

const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;

/** Whether what a file says of a toolchain is all there, and of the right kinds: code is written after it. */
function isDescribed(value: unknown): value is Described {
  const { version, target, features, fingerprint } = (value ?? {}) as Partial<Described>;
  return (
    typeof version === "string" &&
    typeof fingerprint === "string" &&
    fingerprint !== "" &&
    Array.isArray(features) &&
    features.every((name) => typeof name === "string") &&
    typeof target === "object" &&
    target !== null &&
    [16, 32, 64].includes(target.vectorBytes) &&
    typeof target.fma === "boolean" &&
    isSize(target.l1) &&
    isSize(target.l2)
  );
}

/** Reads a file that describes a toolchain; throws an error that says what is wrong with it. */
export function readDescribed(file: string, format: number): Described & Readonly<Record<string, unknown>> {
  const { fs } = node();
  if (fs.statSync(file).size > most) throw new Error(`it is larger than ${most} bytes`);
  const content = parseJson(fs.readFileSync(file, "utf8")) as { format?: unknown } | null;
  if (content?.format !== format) throw new Error(`its format is ${content?.format}`);
  if (!isDescribed(content)) throw new Error("it does not say what they are for");
  return content as Described & Record<string, unknown>;
}
