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

const codes = new Map<string, number>();

/** A number that plain data share which have one text: for tables in which `sameData` has the last word. */
export function hashOf(data: unknown): number {
  if (typeof data === "number") return data | 0;
  if (typeof data === "string") {
    let code = codes.get(data);
    if (code === undefined) codes.set(data, (code = codes.size + 1));
    return code;
  }
  if (typeof data !== "object" || data === null) return data ? 1 : 0;
  let hash = 7;
  if (Array.isArray(data)) for (const element of data) hash = Math.imul(hash, 31) + hashOf(element);
  else for (const key in data) hash = Math.imul(hash, 31) + hashOf((data as Record<string, unknown>)[key]);
  return hash | 0;
}

/** Whether plain data are the same, to the sign of a zero. */
export function sameData(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || a === null) return Object.is(a, b);
  if (typeof b !== "object" || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameData(a[i], b[i])) return false;
    return true;
  }
  let more = 0;
  for (const key in a) {
    if (!sameData((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false;
    more--;
  }
  for (const _ in b) more++;
  return more === 0;
}
