import { proveFreezing } from "./matrix.ts";

proveFreezing("native");
