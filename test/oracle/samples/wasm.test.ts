import { runSamples } from "./suite.ts";

runSamples("wasm", 7);
