import { runSamples } from "./suite.ts";

runSamples("reference", 3);
