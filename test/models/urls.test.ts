import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  ConfigError,
  DataError,
  FileError,
  HttpError,
  readSafetensors,
  SafetensorsError,
  writeSafetensors,
} from "thaw";
import {
  autoModel,
  loadAdapter,
  loadPretrained,
  lora,
  readData,
  readTokenizer,
  saveAdapter,
} from "thaw/models";
import { afterAll, beforeAll, expect, test } from "vitest";
import { served } from "./served.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

// Folders and files at addresses, from a server of this machine.

const top = mkdtempSync(join(tmpdir(), "thaw-urls-"));
const base = tinyFolder(top);
tinyTexts(top);
let server: Awaited<ReturnType<typeof served>>;
const page = "<!DOCTYPE html><title>Sign in</title>";

beforeAll(async () => {
  server = await served(top, (path, response) => {
    if (path.startsWith("/pages/")) response.writeHead(200, { "Content-Type": "text/html" }).end(page);
    else if (path.startsWith("/untold/")) response.writeHead(200).end(page);
    else if (path.startsWith("/fallback/")) {
      const file = join(base, path.slice("/fallback/".length));
      const isThere = existsSync(file);
      const type = isThere ? "application/octet-stream" : "text/html";
      response.writeHead(200, { "Content-Type": type }).end(isThere ? readFileSync(file) : page);
    } else if (path.startsWith("/broken/")) response.writeHead(500).end();
    else if (path === "/cut/model.safetensors") {
      const bytes = readFileSync(join(base, "model.safetensors"));
      response.writeHead(200, { "Content-Length": bytes.length });
      response.write(bytes.subarray(0, bytes.length - 9), () => response.destroy());
    } else return false;
    return true;
  });
});
afterAll(() => {
  server.close();
  rmSync(top, { recursive: true, force: true });
});

const bitsOf = async (at: string | URL) => {
  const model = await autoModel(at);
  const made = model.forward(model.tokenizer!.encode(["the quick brown fox", "a dog"]));
  return made.lastHiddenState.data();
};

test("a model from an address is that of the folder, whatever says where", async () => {
  const expected = await bitsOf(base);
  const before = server.asked.length;
  expect(await bitsOf(`${server.url}base/`)).toEqual(expected);
  const asked = server.asked.slice(before);
  expect(asked).toContain("/base/model.safetensors");
  expect(new Set(asked).size, "no file is asked for twice").toBe(asked.length);
  for (const place of [`${server.url}base`, new URL("base/?key=1", server.url), pathToFileURL(base)])
    expect(await bitsOf(place), String(place)).toEqual(expected);
  // A server that answers with its page where there is no file.
  expect(await bitsOf(`${server.url}fallback/`)).toEqual(expected);
  expect((await readTokenizer(`${server.url}base`)).settings.maxLength).toBe(24);
  expect((await autoModel(`${server.url}base`)).folder).toBe(`${server.url}base`);
});

test("weights in several files, and a file by itself, with what has come of them", async () => {
  const weights = [...readSafetensors(join(base, "model.safetensors"))];
  const at = join(top, "parts");
  cpSync(base, at, { recursive: true });
  rmSync(join(at, "model.safetensors"));
  const [even, odd] = [0, 1].map((rest) => weights.filter((_, i) => i % 2 === rest));
  writeSafetensors(join(at, "a.safetensors"), new Map(even));
  writeSafetensors(join(at, "b.safetensors"), new Map(odd));
  const map = Object.fromEntries([
    ...even!.map(([name]) => [name, "a.safetensors"]),
    ...odd!.map(([name]) => [name, "b.safetensors"]),
  ]);
  const index = join(at, "model.safetensors.index.json");
  writeFileSync(index, JSON.stringify({ weight_map: map }));
  expect(await bitsOf(`${server.url}parts`)).toEqual(await bitsOf(base));

  const total = readFileSync(join(base, "model.safetensors")).length;
  const seen: { loaded: number; total: number | null }[] = [];
  const model = await autoModel(`${server.url}base`, { onProgress: (one) => seen.push(one) });
  expect(seen[0]).toEqual({ loaded: 0, total });
  expect(seen.at(-1)).toEqual({ loaded: total, total });
  expect(await loadPretrained(model as never, `${server.url}base/model.safetensors`)).toEqual({
    drawn: [],
    unused: [],
  });
  writeFileSync(index, JSON.stringify({ weight_map: { ...map, more: "b.safetensors" } }));
  await expect(autoModel(`${server.url}parts`)).rejects.toThrow(
    /says that "more" is in b.safetensors; it is not/,
  );
  writeFileSync(index, JSON.stringify({ weight_map: { more: "c.safetensors" } }));
  await expect(autoModel(`${server.url}parts`)).rejects.toThrow(/names .*c\.safetensors; there is no c/);
});

test("an adapter beside its base, both at addresses", async () => {
  const model = await autoModel(`${server.url}base`);
  lora(model, { targetModules: ["query"], rank: 2, initLoraWeights: false });
  const inputs = model.tokenizer!.encode(["a lazy dog"]);
  const expected = await model.forward(inputs).lastHiddenState.data();
  saveAdapter(model, join(top, "adapter"), { baseModelName: `${server.url}base` });
  const again = await autoModel(`${server.url}adapter`);
  expect(await again.forward(inputs).lastHiddenState.data()).toEqual(expected);
  const other = await loadAdapter(await autoModel(base), `${server.url}adapter`);
  expect(await other.forward(inputs).lastHiddenState.data()).toEqual(expected);
  const inner = { base_model_name_or_path: "no/such" };
  const config = join(top, "adapter", "adapter_config.json");
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), ...inner }));
  await expect(autoModel(`${server.url}adapter`)).rejects.toThrow(
    /an adapter of "no\/such", which is no folder here/,
  );
});

test("embeddings from an address", async () => {
  const at = join(top, "sentences");
  await (await autoModel(base, { task: "embed" })).savePretrained(at);
  const texts = ["a fox", "a text editor"];
  const own = await (await autoModel(at, { task: "embed" })).encode(texts);
  const far = await (await autoModel(`${server.url}sentences`, { task: "embed" })).encode(texts);
  expect(await far.data()).toEqual(await own.data());
});

test("texts from an address, and of a file that was picked", async () => {
  const own = await readData(join(top, "texts.jsonl"));
  expect((await readData(`${server.url}texts.jsonl?v=1`)).examples).toEqual(own.examples);
  const bytes = readFileSync(join(top, "texts.jsonl"));
  expect((await readData(new File([bytes], "texts.jsonl"))).examples).toEqual(own.examples);
  expect((await readData(new File(["text,label\na b,x\nc,y\n"], "t.csv"))).labels).toEqual(["x", "y"]);
  await expect(readData(`${server.url}none.jsonl`)).rejects.toThrow(HttpError);
  await expect(readData(`${server.url}pages/texts.jsonl`)).rejects.toThrow(/what came is a page of HTML/);
  await expect(readData(`${server.url}untold/texts.jsonl`)).rejects.toThrow(DataError);
});

test("what is not there, or is another thing, is a named error", async () => {
  const cases: [string, new (m: string) => Error, RegExp][] = [
    ["nowhere", ConfigError, /There is no config\.json at http:.*nowhere \(the server answered 404/],
    ["pages/model", ConfigError, /There is no config\.json at .* \(what came is a page of HTML\)/],
    ["untold/model", ConfigError, /what came is a page of HTML/],
    ["broken/model", HttpError, /the server answered 500.*try again later/],
    ["lacking", SafetensorsError, /There is no \.safetensors file at .*the server answered 404/],
    ["hostile", SafetensorsError, /header/],
    ["disguised", SafetensorsError, /is a page of HTML: what was downloaded is not the file/],
    ["short", SafetensorsError, /model\.safetensors/],
    ["cut", FileError, /Cannot load .*cut\/model\.safetensors.*try again/],
  ];
  const weights = readFileSync(join(base, "model.safetensors"));
  const bodies: Record<string, Uint8Array | string | null> = {
    lacking: null,
    hostile: new Uint8Array(64).fill(255),
    disguised: page,
    short: weights.subarray(0, weights.length - 3),
    cut: null,
  };
  for (const [name, body] of Object.entries(bodies)) {
    mkdirSync(join(top, name));
    for (const file of ["config.json", "tokenizer.json"]) cpSync(join(base, file), join(top, name, file));
    if (body !== null) writeFileSync(join(top, name, "model.safetensors"), body);
  }
  for (const [path, kind, message] of cases) {
    const problem = await autoModel(server.url + path).catch((error: unknown) => error);
    expect(problem, path).toBeInstanceOf(kind);
    expect(String(problem), path).toMatch(message);
  }
  await expect(readTokenizer(`${server.url}nowhere`)).rejects.toThrow(/There is no tokenizer\.json at/);
  await expect(autoModel("http://127.0.0.1:9/x")).rejects.toThrow(FileError);
  const enough = AbortSignal.abort(new Error("enough"));
  await expect(autoModel(`${server.url}base`, { signal: enough })).rejects.toThrow("enough");
});
