import { drawGraphs } from "./run.ts";

drawGraphs("reference", 2000);
