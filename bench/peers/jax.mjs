// jax-js in a process of its own; `pytorch.py` documents the protocol. Threads are jax-js's own affair: in Node its wasm
// device has one.
import { readFileSync } from "node:fs";
import { article, classifier, encoder, matmul, start, wide } from "./jax-workloads.mjs";
import { makeWorkload, peerOptions, serve } from "./serve.mjs";

const about = new URL("../package.json", import.meta.resolve("@jax-js/jax"));

await start();
await serve({
  ready: {
    system: "jax-js",
    version: JSON.parse(readFileSync(about, "utf8")).version,
    backend: "wasm",
    threads: peerOptions().threads,
    node: process.version,
  },
  build: (workload) => makeWorkload(workload, { W1: article, W2: classifier, W3: wide, W5: encoder }, matmul),
  captured: (workload) => !workload.startsWith("matmul-"),
});
