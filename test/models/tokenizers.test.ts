import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { ArgumentError, ConfigError } from "thaw";
import { alignLabels, readTokenizer, type Text } from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";

// Numbers of tokens against those that transformers makes, of plain texts and of nasty ones.

interface Case {
  readonly tokenizer: Record<string, unknown>;
  readonly config: Record<string, unknown>;
  readonly texts: { text: string; ids: number[]; types: number[]; bare: number[] }[];
  readonly pairs: { pair: [string, string]; ids: number[]; types: number[] }[];
  readonly truncated: { text: Text; maxLength: number; ids: number[]; types: number[] }[];
  readonly words: { given: string[]; ids: number[]; words: (number | null)[] }[];
  readonly batch: { ids: number[][]; mask: number[][] };
}

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const kinds = readdirSync(fixtures).flatMap((name) => /^tokenizer-(.*)\.json\.gz$/.exec(name)?.[1] ?? []);
const top = mkdtempSync(join(tmpdir(), "thaw-tokenizers-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const caseOf = (kind: string): Case =>
  JSON.parse(gunzipSync(readFileSync(join(fixtures, `tokenizer-${kind}.json.gz`))).toString());

function folderOf(files: Record<string, unknown>): string {
  const at = mkdtempSync(join(top, "folder-"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(at, name), JSON.stringify(content));
  return at;
}

describe.each(kinds)("%s", async (kind) => {
  const found = caseOf(kind);
  const tokenizer = await readTokenizer(
    folderOf({ "tokenizer.json": found.tokenizer, "tokenizer_config.json": found.config }),
  );

  test.each(found.texts)("$text", ({ text, ids, types, bare }) => {
    expect(tokenizer.encodeOne(text)).toEqual({ ids, typeIds: types, wordIds: null, isTruncated: false });
    expect(tokenizer.encodeOne(text, { specialTokens: false }).ids).toEqual(bare);
  });

  test("pairs", () => {
    for (const { pair, ids, types } of found.pairs)
      expect(tokenizer.encodeOne(pair), pair.join()).toMatchObject({ ids, typeIds: types });
  });

  test("truncated, the longer of two first", () => {
    for (const { text, maxLength, ids, types } of found.truncated)
      expect(tokenizer.encodeOne(text, { maxLength }), `${text} ${maxLength}`).toMatchObject({
        ids,
        typeIds: types,
      });
  });

  test("words", () => {
    for (const { given, ids, words } of found.words)
      expect(tokenizer.encodeOne({ words: given }), given.join()).toMatchObject({ ids, wordIds: words });
  });

  test("a padded batch", async () => {
    const batch = tokenizer.encode(
      found.texts.slice(0, 6).map(({ text }) => text),
      { padToMultiple: 8 },
    );
    expect(await batch.inputIds.data()).toEqual(Int32Array.from(found.batch.ids.flat()));
    expect(await batch.attentionMask.data()).toEqual(Int32Array.from(found.batch.mask.flat()));
    expect(batch.inputIds.shape).toEqual([6, found.batch.ids[0]!.length]);
  });
});

test("labels of words go to their first tokens", () => {
  expect(alignLabels([null, 0, 0, 1, 2, 2, null], [5, 6, 7])).toEqual([-100, 5, -100, 6, 7, -100, -100]);
});

test("the shortest length that files know holds", async () => {
  const { tokenizer } = caseOf("wordpiece");
  const lengthOf = async (files: Record<string, unknown>) =>
    (await readTokenizer(folderOf({ "tokenizer.json": tokenizer, ...files }))).settings.maxLength;
  const config = (n: number) => ({ "tokenizer_config.json": { pad_token: "[PAD]", model_max_length: n } });
  expect(await lengthOf(config(512))).toBe(512);
  expect(await lengthOf({ ...config(512), "sentence_bert_config.json": { max_seq_length: 256 } })).toBe(256);
  expect(await lengthOf({ ...config(1e30), "config.json": { max_position_embeddings: 40 } })).toBe(40);
  const roberta = { model_type: "roberta", max_position_embeddings: 40, pad_token_id: 1 };
  expect(await lengthOf({ ...config(512), "config.json": roberta })).toBe(38);
  expect(await lengthOf({ ...config(512), "config.json": { ...roberta, model_type: "mpnet" } })).toBe(38);
  const large = { ...roberta, max_position_embeddings: 514 };
  const old = { "config.json": large, "sentence_roberta_config.json": { max_seq_length: 64 } };
  expect(await lengthOf({ ...config(512), ...old })).toBe(64);
  expect(await lengthOf({})).toBe(512);
  expect(await lengthOf(config(8192))).toBe(8192);
});

test("sentence-transformers' own lower case comes before what the tokenizer does", async () => {
  const { tokenizer, config } = caseOf("wordpiece-cased");
  const idsOf = async (files: Record<string, unknown>, text: string) =>
    (
      await readTokenizer(
        folderOf({ "tokenizer.json": tokenizer, "tokenizer_config.json": config, ...files }),
      )
    ).encodeOne(text).ids;
  const lower = { "sentence_bert_config.json": { do_lower_case: true } };
  expect(await idsOf({}, "A TEXT")).not.toEqual(await idsOf({}, "a text"));
  expect(await idsOf(lower, "A TEXT")).toEqual(await idsOf({}, "a text"));
});

test("what is no tokenizer, and no text, is an error that says so", async () => {
  const { tokenizer, config } = caseOf("wordpiece");
  const open = (json: unknown) =>
    readTokenizer(folderOf({ "tokenizer.json": json, "tokenizer_config.json": config }));
  await expect(readTokenizer(folderOf({}))).rejects.toThrow(ConfigError);
  await expect(readTokenizer(folderOf({}))).rejects.toThrow("no tokenizer.json in the folder");
  await expect(open({ ...tokenizer, model: { type: "Unheard" } })).rejects.toThrow(ConfigError);
  await expect(open({ ...tokenizer, post_processor: { type: "Unheard" } })).rejects.toThrow(
    /post_processor is "Unheard"; there is TemplateProcessing/,
  );
  const added = { id: 0, content: "new", single_word: true, lstrip: false, rstrip: false, normalized: false };
  await expect(open({ ...tokenizer, added_tokens: [{ ...added, special: false }] })).rejects.toThrow(
    /has the added token "new" with single_word/,
  );
  const bpe = { type: "BPE", vocab: { "<unk>": 0, a: 1 }, merges: [], unk_token: "<unk>", fuse_unk: true };
  const words = { added_tokens: [], pre_tokenizer: { type: "Whitespace" } };
  await expect(open({ ...tokenizer, ...words, model: bpe })).rejects.toThrow(/a BPE with fuse_unk/);
  for (const [other, ids] of [
    [{ ...words, model: { ...bpe, fuse_unk: false } }, [0, 0, 0, 1]],
    // Without words, all that is unknown is fused, as in Python.
    [{ added_tokens: [], pre_tokenizer: null, model: bpe }, [0, 1]],
  ] as const)
    expect(
      (await open({ ...tokenizer, ...other })).encodeOne("xx x a", { specialTokens: false }).ids,
    ).toEqual(ids);
  const own = await open(tokenizer);
  for (const text of [7, null, ["a"], ["a", "b", "c"], { words: [1] }])
    expect(() => own.encode([text as unknown as Text])).toThrow(/is no text; give a string/);
  expect(() => own.encode([])).toThrow(ArgumentError);
  expect(() => own.encode(["a"], { maxLength: 2 })).toThrow(
    /maxLength is 2; a row has 2 tokens beside those/,
  );
  expect(() => own.encode(["a"], { padToMultiple: 0 })).toThrow(/padToMultiple is 0/);
});
