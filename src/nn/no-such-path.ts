import { SelectorError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";

/** The error of a path that leads to nothing of the kind that `op` gives, with what is there instead, or nearest. */
export function noSuchPath(
  op: string,
  module: string,
  path: unknown,
  all: readonly (readonly [path: string, kind: string])[],
): SelectorError {
  const kind = op.replace(/^(get|set)/, "");
  const what = kind.toLowerCase();
  const head = `${op}: ${module} has no ${what} at ${typeof path === "string" ? `"${path}"` : String(path)}.`;
  const there = all.find(([other]) => other === path)?.[1];
  if (there !== undefined)
    return new SelectorError(
      `${head} What is there is a ${there.toLowerCase()}; get${there}("${path}") gives it.`,
    );
  const known = all.flatMap(([other, of]) => (of === kind ? [other] : []));
  if (known.length === 0) return new SelectorError(`${head} It has none at all.`);
  return new SelectorError(`${head} Nearest: ${nearest(String(path), known, 3).join(", ")}.`);
}
