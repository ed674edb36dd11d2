import { proveFreezing } from "./matrix.ts";

proveFreezing("native", 97, 0);
