import { proveFreezing } from "./prove.ts";

proveFreezing("wasm");
