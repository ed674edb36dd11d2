import { runSamples } from "./suite.ts";

runSamples("native", 97);
