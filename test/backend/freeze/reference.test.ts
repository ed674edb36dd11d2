import { proveFreezing } from "./matrix.ts";

proveFreezing("reference", 23, 5);
