import { runSamples } from "./suite.ts";

runSamples("native", 197);
