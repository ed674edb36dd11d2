import { runSamples } from "./suite.ts";

runSamples("reference");
