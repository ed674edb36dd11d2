export { assertClose, type Tolerance } from "./assert-close.ts";
export { type Checked, type GradcheckOptions, gradcheck } from "./gradcheck.ts";
export { type GradgradcheckOptions, gradgradcheck } from "./gradgradcheck.ts";
