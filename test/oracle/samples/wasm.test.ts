import { runSamples } from "./suite.ts";

runSamples("wasm", 3);
