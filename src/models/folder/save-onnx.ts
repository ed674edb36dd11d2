import { ArgumentError } from "../../base/errors.ts";
import { joinPath, makeFolder } from "../../base/storage/index.ts";
import { exportOnnx } from "../../onnx/index.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { EncoderOutput } from "../encoder-inputs.ts";
import { inMode } from "../fit/in-mode.ts";
import type { TextModel } from "../text-model.ts";

/** What transformers.js calls the files, of f32 and of bytes, and asks for: the second on wasm, the first elsewhere. */
const fileNames = { fp32: "model.onnx", q8: "model_quantized.onnx" };

/** How numbers are written in a file for ONNX Runtime and transformers.js. */
export type OnnxPrecision = keyof typeof fileNames;

/** Throws `ArgumentError` for what is no list of precisions. */
export function checkPrecisions(precisions: readonly OnnxPrecision[]): void {
  for (const precision of Array.isArray(precisions) ? precisions : [precisions])
    if (!Array.isArray(precisions) || !Object.hasOwn(fileNames, precision))
      throw new ArgumentError(
        `savePretrained: onnx is ${JSON.stringify(precisions)}; it is a list of ${Object.keys(fileNames)
          .map((name) => `"${name}"`)
          .join(" and ")}`,
      );
}

/**
 * Writes a model into the folder `onnx` of a folder, once for each precision, as transformers.js opens it: of texts of any
 * number and length it gives `logits`, or `last_hidden_state` where it has no head.
 */
export async function saveOnnx(
  model: TextModel,
  folder: string,
  precisions: readonly OnnxPrecision[],
): Promise<void> {
  checkPrecisions(precisions);
  if (precisions.length === 0) return;
  const spec = { dtype: "i32", dims: ["batch_size", "sequence_length"] } as const;
  const output = model.baseName === null ? "last_hidden_state" : "logits";
  const at = joinPath(folder, "onnx");
  makeFolder(at);
  await inMode(model, false, async () => {
    for (const precision of precisions)
      exportOnnx(
        joinPath(at, fileNames[precision]),
        ({ input_ids, attention_mask, token_type_ids }) => {
          const inputs = {
            inputIds: input_ids!,
            attentionMask: attention_mask!,
            tokenTypeIds: token_type_ids!,
          };
          const made = model.forward(inputs) as Tensor | EncoderOutput;
          return [made instanceof Tensor ? made : made.lastHiddenState];
        },
        {
          inputs: { input_ids: spec, attention_mask: spec, token_type_ids: spec },
          outputs: [output],
          largest: { sequence_length: model.maxLength },
          precision,
        },
      );
  });
}
