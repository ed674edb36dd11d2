import { proveFreezing } from "./matrix.ts";

proveFreezing("wasm", 7, 3);
