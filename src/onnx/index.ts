export { type ExportOnnxOptions, exportOnnx } from "./export-onnx.ts";
export type { InputSpec } from "./recorded.ts";
