import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Has V8 collect, at once, what nothing refers to. */
export const collectGarbage = runInNewContext("gc") as () => void;
