import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
};
/** What makes a page cross-origin isolated, so that it has shared memory. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** A server of an empty page, of this folder's scripts, and of the built package under `/dist/`. */
export async function servePage(
  isolated: boolean,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ url: string; close(): void }> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url!, "http://localhost").pathname);
    try {
      const body = path === "/" ? "<!doctype html><title>page</title>" : await readFile(fileOf(path));
      const type = path === "/" ? types[".html"]! : (types[extname(path)] ?? "text/plain");
      response.writeHead(200, { "Content-Type": type, ...(isolated ? isolation : {}), ...headers }).end(body);
    } catch {
      response.writeHead(404).end(path);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    // Only "localhost" and its like count as secure, without which nothing is isolated.
    url: `http://localhost:${port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function fileOf(path: string): string {
  return path.startsWith("/dist/") ? join(root, path) : join(root, "test/page", path);
}
