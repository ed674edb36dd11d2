/** Patterns that are shown unless all are asked for. */
const shown = 3;

/**
 * Where kernels come from, in short: paths that differ in a number become one, `layers.{0-5}.query`; of many, the first
 * and how many others there are.
 */
export function scopesText(scopes: readonly string[], all: boolean): string {
  const patterns = new Map<string, string[]>();
  for (const scope of scopes) {
    const pattern = scope.replace(index, "*");
    const known = patterns.get(pattern);
    if (known === undefined) patterns.set(pattern, [scope]);
    else known.push(scope);
  }
  const texts = [...patterns].map(([pattern, of]) => (of.length === 1 ? of[0]! : withRange(pattern, of)));
  if (all || texts.length <= shown + 1) return texts.join(", ");
  return `${texts.slice(0, shown).join(", ")}, … ${texts.length - shown} more`;
}

/** A number that is a part of a path by itself: the place of a layer in a list. */
const index = /(?<=[. ]|^)\d+(?=\.|$)/g;

/** A pattern with the numbers that stand in its first place where it has one: in several, any may. */
function withRange(pattern: string, scopes: readonly string[]): string {
  if (pattern.indexOf("*") !== pattern.lastIndexOf("*")) return pattern;
  const numbers = scopes.map((scope) => Number(scope.match(index)![0])).sort((a, b) => a - b);
  const ranges: string[] = [];
  for (let i = 0, next = 0; i < numbers.length; i = next) {
    for (next = i + 1; numbers[next] === numbers[next - 1]! + 1; ) next++;
    ranges.push(next === i + 1 ? String(numbers[i]) : `${numbers[i]}-${numbers[next - 1]}`);
  }
  return pattern.replace("*", `{${ranges.join(",")}}`);
}
