import { drawGraphs } from "./run.ts";

drawGraphs("wasm", 2000);
