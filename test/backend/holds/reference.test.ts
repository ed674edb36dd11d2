import { drawPrograms } from "./run.ts";

drawPrograms("reference");
