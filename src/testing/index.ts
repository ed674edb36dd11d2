export { assertClose, type Tolerance } from "./assert-close.ts";
export { type GradcheckOptions, gradcheck } from "./gradcheck.ts";
