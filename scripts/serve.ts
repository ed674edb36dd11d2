import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { root } from "./sources.ts";

const types: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
};

/** What makes a page cross-origin isolated, so that it has shared memory, and with it threads. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The folders of the repository that a page may see; `/` is the page's own. What a benchmark compares with is among them. */
const shared = ["/dist/", "/data/", "/examples/data/", "/bench/peers/", "/bench/node_modules/@jax-js/"];

/** How a page is served. */
export interface ServeOptions {
  /** 0, the default: any that is free. */
  port?: number;
  /** Whether the page is cross-origin isolated; default true. */
  isolated?: boolean;
  /** Files that are not in the folder, by their paths: "/train.js". */
  files?: Readonly<Record<string, string>>;
  /** Further headers of all that is found. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * Serves a folder of the repository as a page, with the built library under `/dist/` and the data under `/data/`, on
 * this machine alone.
 */
export async function servePage(
  folder: string,
  { port = 0, isolated = true, files = {}, headers = {} }: ServeOptions = {},
): Promise<{ url: string; close(): void }> {
  const shown = isolated ? isolation : {};
  const server = createServer(async (request, response) => {
    try {
      const path = normalize(decodeURI(new URL(request.url!, "http://localhost").pathname));
      const file = path.endsWith("/") ? `${path}index.html` : path;
      const body =
        files[file] ??
        (await readFile(join(root, shared.some((start) => path.startsWith(start)) ? "" : folder, file)));
      response
        .writeHead(200, { "Content-Type": types[extname(file)] ?? "text/plain", ...shown, ...headers })
        .end(body);
    } catch {
      response.writeHead(404, shown).end("There is no such file.");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    // Only "localhost" and its like count as secure, without which nothing is isolated.
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
