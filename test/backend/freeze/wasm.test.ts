import { proveFreezing } from "./matrix.ts";

proveFreezing("wasm", 23, 3);
