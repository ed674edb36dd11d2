import { drawGraphs } from "./run.ts";

drawGraphs("native", 80);
