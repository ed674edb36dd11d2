import { proveFreezing } from "./matrix.ts";

proveFreezing("wasm");
