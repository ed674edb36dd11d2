import { proveFreezing } from "./matrix.ts";

proveFreezing("native", 59, 0);
