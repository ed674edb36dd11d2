import { drawPrograms } from "./run.ts";

drawPrograms("wasm");
