import { proveFreezing } from "./matrix.ts";

proveFreezing("reference");
