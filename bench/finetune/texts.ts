import { readFileSync } from "node:fs";
import { permutation } from "../../src/data/shuffle.ts";
import { readTokenizer } from "../../src/models/text/read-tokenizer.ts";

/** A text with its label. */
export interface Labelled {
  readonly text: string;
  readonly label: string;
}

/** Tokens of texts, and the numbers of their labels. */
export interface TokenRows {
  readonly rows: readonly (readonly number[])[];
  readonly labels: readonly number[];
}

export const labels = Array.from({ length: 10 }, (_, k) => `section-${k}`);

/** The most tokens that a text has. */
export const maxLength = 64;

const words =
  "a an and the of for to in on with from by is are as it tool library server client editor text file image sound video network web mail game font language compiler parser format data base table query index search graph plot matrix number time date calendar clock system kernel driver device disk memory process thread package archive key password certificate signature encryption user group desktop window panel menu theme icon document page book reader writer viewer player recorder converter generator checker debugger profiler simple small fast powerful flexible portable free modern common shared development documentation plugin module extension support interface command line graphical utility program".split(
    " ",
  );

/** Numbers from 0 to below 1, the same for each seed. */
function drawing(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Texts of words, as long as descriptions of packages are: half of them of 21 words or more, few of more than 60. */
export function drawnTexts(count: number, seed = 1): Labelled[] {
  const next = drawing(seed);
  return Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const length = Math.max(3, Math.round(21 * Math.exp(0.5 * normal)));
    const text = Array.from({ length }, () => words[Math.floor(words.length * next() ** 2)]!).join(" ");
    return { text, label: labels[Math.floor(next() * labels.length)]! };
  });
}

/** The first so many texts of a file of JSON Lines that has `text` and `label`, in an order of their own. */
export function readTexts(path: string, count: number): Labelled[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  const chosen = Array.from(permutation(lines.length, 1, 0)).slice(0, count);
  return chosen.map((i) => JSON.parse(lines[i]!) as Labelled);
}

/** The tokens of texts; with no folder of a tokenizer, any numbers, as many as there would be. */
export async function tokensOf(texts: readonly Labelled[], folder: string | null): Promise<TokenRows> {
  const names = [...new Set(texts.map(({ label }) => label))].sort();
  const numbers = texts.map(({ label }) => names.indexOf(label) % labels.length);
  if (folder !== null) {
    const tokenizer = await readTokenizer(folder);
    const rows = texts.map(({ text }) => [...tokenizer.encodeOne(text, { maxLength }).ids]);
    return { rows, labels: numbers };
  }
  const next = drawing(2);
  const rows = texts.map(({ text }) =>
    Array.from(
      { length: Math.min(maxLength, text.split(" ").length + 2) },
      () => 1000 + Math.floor(next() * 29_000),
    ),
  );
  return { rows, labels: numbers };
}
