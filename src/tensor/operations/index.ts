export { cast } from "../../autodiff/build.ts";
export { type Node, node } from "../../ir/node.ts";
