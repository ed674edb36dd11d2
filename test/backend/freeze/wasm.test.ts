import { proveFreezing } from "./matrix.ts";

proveFreezing("wasm", 11, 3);
