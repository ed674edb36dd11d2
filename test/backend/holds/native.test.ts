import { drawPrograms } from "./run.ts";

drawPrograms("native");
