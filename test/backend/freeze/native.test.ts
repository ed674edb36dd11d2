import { proveFreezing } from "./matrix.ts";

proveFreezing("native", 29, 0);
