import Papa from "papaparse";
import { parseJson } from "../../base/bounded-json.ts";
import { DataError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { foreignFormat } from "../../checkpoint/foreign.ts";
import type { Arriving } from "../../checkpoint/places/arriving.ts";

/** A row of a file, by column; `place` says where it is: "line 3". */
export interface TextRecord {
  readonly place: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A line of a file, without its end; the first has the number 1. */
interface TextLine {
  readonly number: number;
  readonly text: string;
}

/** A line that is longer is no line of texts: some have forgotten their line breaks. */
const longestLine = 2 ** 24;

/**
 * The records of a file, one after the other: `.csv` and `.tsv` have a first line of names, and are read whole; every
 * other file has an object of JSON a line. Throws `DataError` where there is none.
 */
export async function* recordsOf(path: string, file: Arriving): AsyncGenerator<TextRecord> {
  // An address may have a query.
  const [name] = path.split(/[?#]/) as [string];
  const delimiter = /\.csv$/i.test(name) ? "," : /\.tsv$/i.test(name) ? "\t" : null;
  const lines = linesOf(path, file);
  let count = 0;
  for await (const record of delimiter === null
    ? jsonLines(path, lines)
    : tableRecords(path, lines, delimiter)) {
    count++;
    yield record;
  }
  if (count === 0) throw new DataError(`${path} has no records; give a file with one a line`);
}

/** Lines of a file, with their numbers, in bounded memory; those without a character are left out. */
async function* linesOf(path: string, file: Arriving): AsyncGenerator<TextLine> {
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
  let rest = new Uint8Array(0);
  let number = 0;
  for await (const part of file.parts) {
    const bytes = new Uint8Array(rest.length + part.length);
    bytes.set(rest);
    bytes.set(part, rest.length);
    if (number === 0) refuseOther(path, bytes);
    let start = 0;
    // What is left of the part before has no end of a line.
    for (let stop = bytes.indexOf(10, rest.length); stop >= 0; stop = bytes.indexOf(10, start)) {
      yield { number: ++number, text: decoded(bytes.subarray(start, stop), number) };
      start = stop + 1;
    }
    rest = bytes.slice(start);
    if (rest.length > longestLine)
      throw new DataError(
        `${path}, line ${number + 1}, is longer than ${longestLine} bytes; a file has a record a line`,
      );
  }
  if (rest.length > 0) yield { number: number + 1, text: decoded(rest, number + 1) };
}

/** Throws where a page has come in the place of a file. */
function refuseOther(path: string, beginning: Uint8Array): void {
  const other = foreignFormat(path, beginning);
  if (other?.includes("HTML")) throw new DataError(other);
}

async function* jsonLines(path: string, lines: AsyncIterable<TextLine>): AsyncGenerator<TextRecord> {
  for await (const { number, text } of lines) {
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
        `${path}, ${place}, is ${Array.isArray(values) ? "a list" : JSON.stringify(values)}; it must be an object, as a file has one a line`,
      );
    yield { place, values: values as Record<string, unknown> };
  }
}

async function* tableRecords(
  path: string,
  lines: AsyncIterable<TextLine>,
  delimiter: string,
): AsyncGenerator<TextRecord> {
  const texts: string[] = [];
  for await (const { text } of lines) texts.push(text);
  const text = texts.join("\n").replace(/^\ufeff/, "");
  const { data, errors } = Papa.parse<string[]>(`${text}\n`, {
    delimiter,
    // Lines may end as on Windows, all or some of them: what is left of such an end is taken off below.
    newline: text.includes("\n") ? "\n" : "\r",
    skipEmptyLines: "greedy",
  });
  const rows = data.map((row) => [...row.slice(0, -1), row.at(-1)!.replace(/\r$/, "")]);
  const [names = [], ...records] = rows;
  requireNames(path, names, delimiter);
  const wrong = (row: number, what: string): never => {
    throw new DataError(
      `${path}, record ${row}: ${printable(what)}. The columns are ${names.map((name) => printable(name)).join(", ")}`,
    );
  };
  const broken = errors[0];
  if (broken !== undefined) wrong(broken.row ?? 0, broken.message);
  for (const [i, row] of records.entries())
    if (row.length !== names.length)
      wrong(
        i + 1,
        `Too ${row.length < names.length ? "few" : "many"} fields: expected ${names.length} fields but parsed ${row.length}`,
      );
  for (const [i, row] of records.entries())
    yield { place: `record ${i + 1}`, values: Object.fromEntries(row.map((value, c) => [names[c]!, value])) };
}

/** Throws for a line of names that is of another kind of table, or has a name twice. */
function requireNames(path: string, names: readonly string[], delimiter: string): void {
  const other = [";", "\t", ",", "|"].find((one) => one !== delimiter && names[0]?.includes(one));
  if (names.length === 1 && other !== undefined)
    throw new DataError(
      `${path} has one column, ${JSON.stringify(names[0])}; it looks as if ${JSON.stringify(other)} stood between columns. A .csv has commas there, and a .tsv has tabs`,
    );
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) < i);
  if (twice !== undefined)
    throw new DataError(`${path} has two columns ${JSON.stringify(twice)}; give each a name of its own`);
}
