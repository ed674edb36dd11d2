import { proveFreezing } from "./matrix.ts";

proveFreezing("native", 193, 0);
