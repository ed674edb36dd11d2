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
  ".mjs": "text/javascript",
};

/** What makes a page cross-origin isolated, so that it has shared memory, and with it threads. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The folders of the repository that a page may see; `/` is the page's own. What a benchmark compares with is among them. */
const shared = ["/dist/", "/data/", "/bench/peers/", "/bench/node_modules/@jax-js/"];

/**
 * Serves a folder of the repository as a page, with the built library under `/dist/` and the data under `/data/`, on
 * this machine alone. `port` 0: any that is free.
 */
export async function servePage(folder: string, port = 0): Promise<{ url: string; close(): void }> {
  const server = createServer(async (request, response) => {
    try {
      const path = normalize(decodeURI(new URL(request.url!, "http://localhost").pathname));
      const file = path.endsWith("/") ? `${path}index.html` : path;
      const body = await readFile(
        join(root, shared.some((start) => path.startsWith(start)) ? "" : folder, file),
      );
      response
        .writeHead(200, { "Content-Type": types[extname(file)] ?? "text/plain", ...isolation })
        .end(body);
    } catch {
      response.writeHead(404, isolation).end("There is no such file.");
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
