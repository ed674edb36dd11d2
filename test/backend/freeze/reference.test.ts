import { proveFreezing } from "./prove.ts";

proveFreezing("reference");
