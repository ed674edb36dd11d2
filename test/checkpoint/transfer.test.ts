import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as nn from "thaw/nn";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  ArgumentError,
  atUrl,
  download,
  FileError,
  HttpError,
  indexedDb,
  loadFrom,
  manualSeed,
  opfs,
  parseSafetensors,
  readFrom,
  SafetensorsError,
  saveTo,
  saveToBytes,
} from "../../src/index.ts";

/** What the server does at each path. */
const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {};
const stored = new Map<string, Buffer>();
let base = "";

const server = createServer((request, response) => {
  const answer = answers[request.url!];
  if (answer !== undefined) return answer(request, response);
  if (request.method === "PUT" || request.method === "POST") {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      stored.set(request.url!, Buffer.concat(parts));
      response.writeHead(201).end("stored");
    });
    return;
  }
  const found = stored.get(request.url!);
  if (found === undefined)
    response.writeHead(404, { "Content-Type": "text/html" }).end("<!doctype html>none");
  else response.writeHead(200, { "Content-Length": found.length }).end(found);
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const network = (seed: number): nn.Linear => {
  manualSeed(seed);
  return new nn.Linear(200, 100);
};
const bitsOf = (net: nn.Module): number[][] =>
  net.parameters().map((p) => [...new Uint32Array((p.dataSync() as Float32Array).slice().buffer)]);

test("weights go to an address and come back, bit for bit, with progress", async () => {
  const [net, other] = [network(1), network(2)];
  const told: number[] = [];
  await saveTo(`${base}/w.safetensors`, { module: net }, { onProgress: ({ loaded }) => told.push(loaded) });
  expect(stored.get("/w.safetensors")).toEqual(Buffer.from(saveToBytes({ module: net })));
  const size = stored.get("/w.safetensors")!.length;
  expect(told).toEqual([0, size]);
  const progress: unknown[] = [];
  await loadFrom(
    new URL(`${base}/w.safetensors`),
    { module: other },
    { onProgress: (p) => progress.push(p) },
  );
  expect(bitsOf(other)).toEqual(bitsOf(net));
  expect(progress[0]).toEqual({ loaded: 0, total: size });
  expect(progress.at(-1)).toEqual({ loaded: size, total: size });
  expect([...parseSafetensors(await readFrom(`${base}/w.safetensors`)).keys()]).toEqual(["bias", "weight"]);
});

test("what is saved is what there was at the call", async () => {
  const net = network(1);
  const before = bitsOf(net);
  const saving = saveTo(`${base}/call.safetensors`, { module: net });
  net.loadStateDict(network(3).stateDict());
  await saving;
  const other = network(2);
  await loadFrom(`${base}/call.safetensors`, { module: other });
  expect(bitsOf(other)).toEqual(before);
});

test("what is frozen stays so, and what a file leaves out does not move", async () => {
  class Net extends nn.Module {
    backbone = new nn.Linear(4, 4);
    head = new nn.Linear(4, 2);
  }
  const [net, other] = [new Net(), new Net()];
  other.backbone.weight.frozen = true;
  const before = bitsOf(other.backbone);
  await saveTo(`${base}/head.safetensors`, { module: net.head });
  await loadFrom(`${base}/head.safetensors`, { module: other.head });
  expect(bitsOf(other.backbone)).toEqual(before);
  expect(other.backbone.weight.frozen).toBe(true);
  expect(bitsOf(other.head)).toEqual(bitsOf(net.head));
});

test("options of requests arrive", async () => {
  let seen: unknown;
  answers["/private"] = (request, response) => {
    seen = [request.method, request.headers.authorization];
    response.writeHead(204).end();
  };
  const headers = { Authorization: "Bearer x" };
  await saveTo(atUrl(`${base}/private`, { headers, method: "POST" }), { module: network(1) });
  expect(seen).toEqual(["POST", "Bearer x"]);
});

test.each([
  [404, /answered 404 Not Found; there is no such file/],
  [401, /answered 401 Unauthorized; it wants to know who asks/],
  [403, /403 Forbidden; it wants/],
  [503, /503 Service Unavailable; try again later/],
  [418, /answered 418/],
])("an answer of %i is an error that names it, and nothing changes", async (status, message) => {
  answers["/bad"] = (_, response) => response.writeHead(status).end("<!doctype html>");
  const net = network(1);
  const before = bitsOf(net);
  const error: HttpError = await loadFrom(`${base}/bad`, { module: net }).then(
    () => expect.fail("loaded"),
    (e) => e,
  );
  expect(error).toBeInstanceOf(HttpError);
  expect(error).toBeInstanceOf(FileError);
  expect(error.status).toBe(status);
  expect(error.message).toMatch(message);
  expect(bitsOf(net)).toEqual(before);
  await expect(saveTo(`${base}/bad`, { module: net })).rejects.toThrow(HttpError);
});

test.each([
  ["<!doctype html><title>Not here</title>", /\/page is a page of HTML/],
  ["\n\n <HTML><body>no", /is a page of HTML/],
  ['<?xml version="1.0"?><Error><Code>AccessDenied</Code>', /is XML/],
  ['{"error": "Repository not found"}', /is JSON/],
  ["\u{feff}  <html><body>no</body>", /is a page of HTML/],
  ["", /\/page: /],
  ["short", /\/page: /],
])("an answer of %j that calls itself a success says what it is", async (text, message) => {
  answers["/page"] = (_, response) => response.writeHead(200).end(text);
  await expect(loadFrom(`${base}/page`, { module: network(1) })).rejects.toThrow(SafetensorsError);
  await expect(loadFrom(`${base}/page`, { module: network(1) })).rejects.toThrow(message);
});

test("a connection that is cut is an error, and nothing changes", async () => {
  const bytes = saveToBytes({ module: network(5) });
  answers["/cut"] = (_, response) => {
    response.writeHead(200, { "Content-Length": bytes.length });
    response.write(bytes.subarray(0, 1000), () => response.destroy());
  };
  const net = network(1);
  const before = bitsOf(net);
  await expect(loadFrom(`${base}/cut`, { module: net })).rejects.toThrow(FileError);
  expect(bitsOf(net)).toEqual(before);
});

test("an unknown length has no total until the end", async () => {
  const bytes = saveToBytes({ module: network(5) });
  answers["/chunked"] = (_, response) => {
    response.writeHead(200);
    response.write(bytes.subarray(0, 50_000));
    response.end(bytes.subarray(50_000));
  };
  const progress: unknown[] = [];
  const net = network(1);
  await loadFrom(`${base}/chunked`, { module: net }, { onProgress: (p) => progress.push(p) });
  expect(bitsOf(net)).toEqual(bitsOf(network(5)));
  expect(progress[0]).toEqual({ loaded: 0, total: null });
  expect(progress.at(-1)).toEqual({ loaded: bytes.length, total: bytes.length });
});

test("a signal ends it with its reason, before, and on the way", async () => {
  const net = network(1);
  const before = bitsOf(net);
  const reason = new Error("enough");
  const ended = { signal: AbortSignal.abort(reason) };
  for (const place of [`${base}/w.safetensors`, new Blob([saveToBytes({ module: network(2) }) as BlobPart])])
    await expect(loadFrom(place, { module: net }, ended)).rejects.toBe(reason);
  await expect(saveTo(`${base}/never`, { module: net }, ended)).rejects.toBe(reason);
  expect(stored.has("/never")).toBe(false);
  const control = new AbortController();
  answers["/slow"] = (_, response) => {
    response.writeHead(200, { "Content-Length": 1000 });
    response.write("x");
    setTimeout(() => control.abort(reason), 20);
  };
  await expect(loadFrom(`${base}/slow`, { module: net }, { signal: control.signal })).rejects.toBe(reason);
  expect(bitsOf(net)).toEqual(before);
});

test("a file that somebody has picked", async () => {
  const file = new File([saveToBytes({ module: network(2) }) as BlobPart], "mine.safetensors");
  const net = network(1);
  await loadFrom(file, { module: net });
  expect(bitsOf(net)).toEqual(bitsOf(network(2)));
  await expect(saveTo(file, { module: net })).rejects.toThrow(
    /Cannot save to mine.safetensors.*download\("mine/,
  );
  const pickle = new File(["PK\u0003\u0004"], "model.bin");
  await expect(loadFrom(pickle, { module: net })).rejects.toThrow(/model.bin is a file of torch.save/);
});

test("where there is no page, that is said, with what to do", async () => {
  const net = network(1);
  await expect(saveTo(opfs("a/b.safetensors"), { module: net })).rejects.toThrow(
    /save\(\) and load\(\) take paths/,
  );
  await expect(loadFrom(indexedDb("b"), { module: net })).rejects.toThrow(/There is no IndexedDB here/);
  await expect(saveTo(download("b"), { module: net })).rejects.toThrow(/only a page can start a download/);
  await expect(loadFrom(download("b"), { module: net })).rejects.toThrow(/cannot be read by the page/);
  await expect(loadFrom("weights.safetensors", { module: net })).rejects.toThrow(/it is no URL/);
  await expect(loadFrom("http://127.0.0.1:1/x", { module: net })).rejects.toThrow(FileError);
  expect(() => opfs("/")).toThrow(/names no file/);
});

test.each([[null], [undefined], [3], [{}]])("%j is no place", async (place) => {
  await expect(loadFrom(place as never, { module: network(1) })).rejects.toThrow(ArgumentError);
  await expect(saveTo(place as never, { module: network(1) })).rejects.toThrow(ArgumentError);
});
