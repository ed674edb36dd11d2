export { evaluate } from "./evaluate.ts";
export type { ElementwiseOp } from "./evaluate-elementwise.ts";
export { type Inferred, infer } from "./infer.ts";
export { isGradEnabled, isOp, type Node, node, topological, withGrad } from "./node.ts";
export { type DotAxes, type Op, type OpAttrs, type OpKind, ops, type Source } from "./op.ts";
export { print } from "./print.ts";
export { simplify } from "./simplify.ts";
export { verify } from "./verify.ts";
