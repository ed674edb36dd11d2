import Papa from "papaparse";
import { parseJson } from "../../base/bounded-json.ts";
import { DataError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { openFile } from "../../base/storage/index.ts";

/** A row of a file, by column; `place` says where it is: "line 3". */
export interface TextRecord {
  readonly place: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A line that is longer is no line of texts: some have forgotten their line breaks. */
const longestLine = 2 ** 24;
/** What is read at a time. */
const block = 2 ** 20;

/**
 * The records of a file, one after the other: `.csv` and `.tsv` have a first line of names, and are read whole; every
 * other file has an object of JSON a line.
 */
export function* recordsOf(path: string): Generator<TextRecord> {
  const delimiter = /\.csv$/i.test(path) ? "," : /\.tsv$/i.test(path) ? "\t" : null;
  yield* delimiter === null ? jsonLines(path) : tableRecords(path, delimiter);
}

/** All records of a file; throws `DataError` where there is none. */
export function readRecords(path: string): TextRecord[] {
  const records = [...recordsOf(path)];
  if (records.length === 0) throw new DataError(`${path} has no records; give a file with one a line`);
  return records;
}

/** Lines of a file, with their numbers, in bounded memory; those without a character are left out. */
function* linesOf(path: string): Generator<{ number: number; text: string }> {
  const file = openFile(path);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decoded = (bytes: Uint8Array, number: number): string => {
    if (bytes.includes(0)) throw new DataError(`${path}, line ${number}, is no text: it has a byte of 0`);
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new DataError(`${path}, line ${number}, is no text in UTF-8; save the file in that encoding`, {
        cause,
      });
    }
  };
  try {
    let rest = new Uint8Array(0);
    let number = 0;
    for (let at = 0; at < file.size; ) {
      const bytes = new Uint8Array(rest.length + Math.min(block, file.size - at));
      bytes.set(rest);
      const count = file.read(bytes.subarray(rest.length), at);
      if (count === 0) break;
      at += count;
      let start = 0;
      const end = rest.length + count;
      for (let stop = bytes.indexOf(10); stop >= 0 && stop < end; stop = bytes.indexOf(10, start)) {
        yield { number: ++number, text: decoded(bytes.subarray(start, stop), number) };
        start = stop + 1;
      }
      rest = bytes.slice(start, end);
      if (rest.length > longestLine)
        throw new DataError(
          `${path}, line ${number + 1}, is longer than ${longestLine} bytes; a file has a record a line`,
        );
    }
    if (rest.length > 0) yield { number: number + 1, text: decoded(rest, number + 1) };
  } finally {
    file.close();
  }
}

function* jsonLines(path: string): Generator<TextRecord> {
  for (const { number, text } of linesOf(path)) {
    if (text.trim() === "") continue;
    const place = `line ${number}`;
    let values: unknown;
    try {
      values = parseJson(text);
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new DataError(
        `${path}, ${place}, is no JSON: ${printable(cause.message)}. A file has an object of JSON a line, or is called .csv or .tsv`,
        { cause },
      );
    }
    if (typeof values !== "object" || values === null || Array.isArray(values))
      throw new DataError(
        `${path}, ${place}, is ${Array.isArray(values) ? "a list" : JSON.stringify(values)}; it must be an object`,
      );
    yield { place, values: values as Record<string, unknown> };
  }
}

function tableRecords(path: string, delimiter: string): TextRecord[] {
  const text = [...linesOf(path)].map((line) => line.text).join("\n");
  const { data, errors, meta } = Papa.parse<Record<string, unknown>>(text.replace(/^\ufeff/, ""), {
    header: true,
    delimiter,
    skipEmptyLines: "greedy",
  });
  const wrong = errors[0];
  if (wrong !== undefined)
    throw new DataError(
      `${path}, record ${(wrong.row ?? 0) + 1}: ${printable(wrong.message)}. The columns are ${(meta.fields ?? []).map((name) => printable(name)).join(", ")}`,
    );
  return data.map((values, i) => ({ place: `record ${i + 1}`, values }));
}
