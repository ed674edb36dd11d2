import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

/** Serves a folder; `answer` may answer some paths by itself, and says whether it has. `asked`: the paths, in order. */
export async function served(top: string, answer = (_path: string, _response: ServerResponse) => false) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURI(new URL(request.url!, "http://localhost").pathname);
    asked.push(path);
    if (answer(path, response)) return;
    try {
      const body = readFileSync(join(top, path));
      const type = extname(path) === ".json" ? "application/json" : "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, "Content-Length": body.length }).end(body);
    } catch {
      response.writeHead(404).end("There is no such file.");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, close };
}
