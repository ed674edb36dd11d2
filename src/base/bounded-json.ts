const [quote, backslash, comma, colon] = [34, 92, 44, 58];
const [openArray, closeArray, openObject, closeObject] = [91, 93, 123, 125];

/** How much JSON is built at most: levels of arrays and objects in each other, and values in all. */
export interface JsonBounds {
  readonly depth: number;
  readonly values: number;
}

/** More than any file that thaw writes or reads has; what is built of so much takes some hundred megabytes. */
export const usualBounds: JsonBounds = { depth: 64, values: 2 ** 22 };

/**
 * `JSON.parse` for text from a file that anybody may have made. Text is small beside what may be built of it (90 MB of
 * brackets take 5 GB), so it is counted through first. Throws `SyntaxError`, as `JSON.parse` does, for too much too.
 */
export function parseJson(text: string, { depth, values }: JsonBounds = usualBounds): unknown {
  let [level, count] = [0, 1];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      for (at++; at < text.length && text.charCodeAt(at) !== quote; at++)
        if (text.charCodeAt(at) === backslash) at++;
    } else if (code === openArray || code === openObject) {
      count++;
      if (++level > depth) throw new SyntaxError(`it is nested too deeply: more than ${depth} levels`);
    } else if (code === closeArray || code === closeObject) level--;
    else if (code === comma || code === colon) count++;
    if (count > values) throw new SyntaxError(`it has more than ${values} values`);
  }
  return JSON.parse(text);
}
