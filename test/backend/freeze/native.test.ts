import { proveFreezing } from "./matrix.ts";

proveFreezing("native", 7, 0);
