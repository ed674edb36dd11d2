import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { ArgumentError, ConfigError, writeSafetensors } from "thaw";
import { autoModel, readTokenizer, type Text, type TextTokenizer } from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";
import { type Fixture, weightsOf } from "./fixtures/fixture.ts";

// Tokens that were added, and where tokens stand in texts, against transformers (make-offsets.py).

type Offset = [number, number];
interface Row {
  readonly ids: number[];
  readonly offsets: Offset[];
}
interface Case {
  readonly size: number;
  readonly texts: (Row & { text: string })[];
  readonly pairs: (Row & { pair: [string, string] })[];
  readonly truncated: (Row & { text: string })[];
  readonly words: (Row & { words: string[] })[];
  readonly lstrip?: (Row & { text: string })[];
  readonly addedTokens: { id: number; content: string }[];
}

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const read = (name: string) => JSON.parse(gunzipSync(readFileSync(join(fixtures, name))).toString());
const { cases, tags } = read("vocabulary/offsets.json.gz") as {
  cases: Record<string, Case>;
  tags: Pick<Fixture, "config" | "weights"> & {
    found: {
      text: string;
      entities: { entity_group: string; score: number; start: number; end: number }[];
    }[];
  };
};
const top = mkdtempSync(join(tmpdir(), "thaw-offsets-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

function opened(kind: string, change: (json: Record<string, unknown>) => object = (json) => json) {
  const { tokenizer, config } = read(`tokenizer-${kind}.json.gz`);
  const at = mkdtempSync(join(top, "tokenizer-"));
  writeFileSync(join(at, "tokenizer.json"), JSON.stringify(change(tokenizer)));
  writeFileSync(join(at, "tokenizer_config.json"), JSON.stringify(config));
  return readTokenizer(at);
}

/** Python's places in code points, in units of UTF-16. */
function inUnits(text: string, offsets: readonly Offset[]): Offset[] {
  const points = Array.from(text);
  const at = (point: number) => points.slice(0, point).join("").length;
  return offsets.map(([start, end]) => [at(start), at(end)]);
}

const rowOf = (tokenizer: TextTokenizer, text: Text, maxLength?: number) => {
  const { ids, offsets } = tokenizer.encodeOne(text, {
    offsets: true,
    ...(maxLength === undefined ? {} : { maxLength }),
  });
  return { ids, offsets };
};

describe.each(Object.keys(cases))("%s", async (kind) => {
  const found = cases[kind]!;
  const tokenizer = await opened(kind);
  tokenizer.addTokens(["newword", "Zürich", "a", "🎉", "newword"]);
  tokenizer.addTokens(["<ent>"], { special: true });

  test("added tokens have the numbers that Python gives them, and are written so", async () => {
    expect(tokenizer.vocabularySize).toBe(found.size);
    expect((tokenizer.files.json as { added_tokens: object[] }).added_tokens).toEqual(found.addedTokens);
    expect(tokenizer.specialIds.has(tokenizer.idOf("<ent>")!)).toBe(true);
    expect(tokenizer.specialIds.has(tokenizer.idOf("newword")!)).toBe(false);
  });

  test.each(found.texts)("$text", ({ text, ids, offsets }) => {
    expect(rowOf(tokenizer, text)).toEqual({ ids, offsets: inUnits(text, offsets) });
  });

  test("pairs, each in its own text", () => {
    for (const { pair, ids, offsets } of found.pairs) {
      const second = ids.length - (tokenizer.encodeOne(pair[1], { specialTokens: false }).ids.length + 1);
      const expected = offsets.map((one, i) => inUnits(pair[i < second ? 0 : 1], [one])[0]!);
      expect(rowOf(tokenizer, pair), pair.join()).toEqual({ ids, offsets: expected });
    }
  });

  test("truncated", () => {
    for (const { text, ids, offsets } of found.truncated)
      expect(rowOf(tokenizer, text, 6), text).toEqual({ ids, offsets: inUnits(text, offsets) });
  });

  test("words, each in itself", () => {
    for (const { words, ids, offsets } of found.words) {
      const { wordIds } = tokenizer.encodeOne({ words });
      const expected = offsets.map((one, i) => inUnits(words[wordIds![i] ?? 0]!, [one])[0]!);
      expect(rowOf(tokenizer, { words }), words.join()).toEqual({ ids, offsets: expected });
    }
  });
});

test("a mask that takes the spaces before it", async () => {
  for (const kind of ["bytelevel", "bytelevel-prefix"]) {
    const tokenizer = await opened(kind, (json) => ({
      ...json,
      added_tokens: (json.added_tokens as { content: string }[]).map((token) =>
        token.content === "<mask>" ? { ...token, lstrip: true } : token,
      ),
    }));
    tokenizer.addTokens(["newword", "Zürich", "a", "🎉"]);
    for (const { text, ids, offsets } of cases[kind]!.lstrip!)
      expect(rowOf(tokenizer, text), `${kind} ${text}`).toEqual({ ids, offsets: inUnits(text, offsets) });
  }
});

test("offsets that are not known are an error, and only where they are asked for", async () => {
  const tokenizer = await opened("unigram");
  expect(tokenizer.encodeOne("a text").offsets).toBeUndefined();
  expect(() => rowOf(tokenizer, "a text")).toThrow(ConfigError);
  expect(() => rowOf(tokenizer, "a text")).toThrow(/normalizer is "NFKC".*leave offsets out/);
});

test("what is no list of tokens cannot be added", async () => {
  const tokenizer = await opened("wordpiece");
  for (const tokens of ["new", [""], [7], null])
    expect(() => tokenizer.addTokens(tokens as unknown as string[])).toThrow(/addTokens: the tokens are/);
  expect(tokenizer.vocabularySize).toBe(260);
});

test("entities with their places in texts, as the pipeline of transformers finds them", async () => {
  const at = mkdtempSync(join(top, "tags-"));
  const { tokenizer, config } = read("tokenizer-wordpiece.json.gz");
  writeFileSync(join(at, "config.json"), JSON.stringify(tags.config));
  writeFileSync(join(at, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(at, "tokenizer_config.json"), JSON.stringify(config));
  writeSafetensors(join(at, "model.safetensors"), weightsOf(tags as unknown as Fixture));
  const model = await autoModel(at, { task: "tag" });
  const texts = tags.found.map(({ text }) => text);
  for (const batch of [1, 32]) {
    const found = await model.predict(texts, { aggregationStrategy: "simple", batch });
    for (const [i, { text, entities }] of tags.found.entries()) {
      const expected = entities.map(({ entity_group, start, end }) => {
        const [[from, to]] = inUnits(text, [[start, end]]) as [Offset];
        return { entity: entity_group, word: text.slice(from, to), start: from, end: to };
      });
      expect(found[i]!.map(({ score: _, ...one }) => one)).toEqual(expected);
      for (const [k, { score }] of found[i]!.entries()) expect(score).toBeCloseTo(entities[k]!.score, 5);
    }
  }
  const words = [{ words: ["A", "text"] }] as unknown as string[];
  await expect(model.predict(words, { aggregationStrategy: "simple" })).rejects.toThrow(ArgumentError);
  await expect(model.predict(["a"], { aggregationStrategy: "max" as "simple" })).rejects.toThrow(
    /aggregationStrategy is "max"; it may be "simple"/,
  );
});
