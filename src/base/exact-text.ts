/** A number as text that no other number has: where JSON writes NaN and infinities as null, and -0 as 0. */
export const numberText = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

/**
 * Plain data as text to look things up by: what differs in any number, NaN, infinities and the sign of zero included,
 * has another text. Its own texts are names, without quotation marks.
 */
export function exactText(data: unknown): string {
  if (typeof data === "number") return numberText(data);
  if (typeof data === "string") return `"${data}"`;
  if (typeof data !== "object" || data === null) return String(data);
  let text = "";
  if (Array.isArray(data)) {
    for (const element of data) text += `${exactText(element)},`;
    return `[${text}]`;
  }
  for (const key in data) text += `${key}:${exactText((data as Record<string, unknown>)[key])},`;
  return `{${text}}`;
}
