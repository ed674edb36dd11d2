import { proveFreezing } from "./matrix.ts";

proveFreezing("reference", 11, 5);
