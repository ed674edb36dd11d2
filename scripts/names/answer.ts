import * as thaw from "../../src/index.ts";
import { reasons } from "./reasons.ts";
import { renames } from "./renames.ts";

/** What becomes of one of PyTorch's names: what it is called in thaw, or why it is missing, or neither. */
export interface Answer {
  readonly thaw: string | null;
  readonly reason: string | null;
}

const { nn } = thaw;
const holders: { readonly [kind: string]: readonly (readonly [string, object])[] } = {
  torch: [
    ["", thaw],
    ["Tensor.", thaw.Tensor.prototype],
    ["nn.", nn],
  ],
  F: [
    ["nn.", nn],
    ["Tensor.", thaw.Tensor.prototype],
    ["", thaw],
  ],
  nn: [["nn.", nn]],
  "nn.init": [["nn.init.", nn.init]],
  "torch.utils": [["", thaw]],
  "torch.utils.checkpoint": [["", thaw]],
  "torch.linalg": [["linalg.", thaw.linalg]],
  "torch.masked": [["masked.", thaw.masked]],
  "": [
    ["Tensor.", thaw.Tensor.prototype],
    ["Module.", nn.Module.prototype],
    ["Parameter.", thaw.Parameter.prototype],
  ],
};

/** What a name of PyTorch's is in thaw. */
export function answer(name: string): Answer {
  const renamed = renames[name];
  const found = renamed ?? underItsName(name);
  const reason = reasons.find(({ names }) => names.test(name))?.reason ?? null;
  return { thaw: found, reason: found === null ? reason : null };
}

function underItsName(name: string): string | null {
  const dot = name.lastIndexOf(".");
  const last = camelCase(name.slice(dot + 1));
  for (const [prefix, holder] of holders[name.slice(0, dot)] ?? []) if (last in holder) return prefix + last;
  return null;
}

/** `index_add_` as `indexAdd_`, `atleast_1d` as `atleast1d`. */
export const camelCase = (name: string): string =>
  name.replace(/(?<=[A-Za-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** Whether a name that the table of renames gives is there: `nn.Buffer`, `Tensor.data`; dtypes and JavaScript's are. */
export function isThere(given: string): boolean {
  if (/^"(f64|f32|f16|bf16|i32|i8|u8|bool)"$/.test(given) || given.startsWith("JavaScript: ")) return true;
  const [first, second] = given.split(".") as [string, string?];
  if (first === "Tensor" && second !== undefined) return second in thaw.Tensor.prototype;
  if (first === "Module" && second !== undefined) return second in nn.Module.prototype;
  let found: unknown = thaw;
  for (const part of given.split(".")) found = (found as { [name: string]: unknown } | undefined)?.[part];
  return found !== undefined;
}
