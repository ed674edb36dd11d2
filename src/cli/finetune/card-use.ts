import { shellWords } from "../shell-words.ts";
import type { CardFacts } from "./card-facts.ts";
import type { TunedTask } from "./task-names.ts";

const fenced = (language: string, lines: readonly string[]): string =>
  [`\`\`\`${language}`, ...lines, "```"].join("\n");

/** How a tuned model is used, in Python, in JavaScript and at a terminal, and what differs between them. */
export function useOf({ name, base, onnx, options, planned }: CardFacts, pipeline: string): string {
  const { task, train } = { task: planned.texts.task, train: planned.texts.train };
  const folder = JSON.stringify(name);
  const parts = [
    fenced("sh", [
      `npx thaw predict ${shellWords([name])} --data new.jsonl --max-length ${planned.maxLength}`,
    ]),
    fenced("ts", [
      'import { autoModel } from "thaw/models";',
      `const model = await autoModel(${folder}, { task: ${JSON.stringify(task)} });`,
      `await model.${task === "embed" ? "encode" : "predict"}([${exampleOf(task, train.columns.text.length)}], { maxLength: ${planned.maxLength} });`,
    ]),
    task === "embed"
      ? fenced("python", [
          "from sentence_transformers import SentenceTransformer",
          `SentenceTransformer(${folder}).encode(["a text"])`,
        ])
      : options.lora === undefined
        ? fenced("python", [
            "from transformers import pipeline",
            `pipeline("${pipeline}", model=${folder})("a text")`,
          ])
        : fenced("python", adapterInPython(folder, base.folder, task, train.labels.length)),
  ];
  if (onnx.length > 0) {
    const dtype = onnx.includes("q8") ? "q8" : "fp32";
    parts.push(
      fenced("js", [
        'import { env, pipeline } from "@huggingface/transformers";',
        'env.localModelPath = "./";',
        `const found = await pipeline("${task === "embed" ? "feature-extraction" : pipeline}", ${folder}, { dtype: "${dtype}" });`,
        `await found("a text"${task === "embed" ? ', { pooling: "mean" }' : ""});`,
      ]),
      `\`onnx/\` has the model for ONNX Runtime and transformers.js: ${onnx.map((one) => (one === "q8" ? "`model_quantized.onnx` with weights as bytes, whose results differ a little" : "`model.onnx` in f32")).join(", ")}. Up to ${planned.maxLength} tokens their tokens are these. Longer texts are cut here before special tokens are added, which are kept; transformers.js cuts afterwards, and loses the last one, so that results differ there.`,
    );
  }
  return parts.join("\n\n");
}

/** Classes of transformers for what an adapter is beside. */
const autoClasses: Readonly<Record<TunedTask, string>> = {
  classify: "AutoModelForSequenceClassification",
  multiLabel: "AutoModelForSequenceClassification",
  regress: "AutoModelForSequenceClassification",
  tag: "AutoModelForTokenClassification",
  maskedLM: "AutoModelForMaskedLM",
  embed: "AutoModel",
};

function adapterInPython(folder: string, base: string, task: TunedTask, labels: number): string[] {
  const count = task === "maskedLM" ? "" : `, num_labels=${task === "regress" ? 1 : labels}`;
  return [
    "from peft import PeftModel",
    `from transformers import ${autoClasses[task]}`,
    `base = ${autoClasses[task]}.from_pretrained(${JSON.stringify(base)}${count})`,
    `PeftModel.from_pretrained(base, ${folder})`,
  ];
}

function exampleOf(task: TunedTask, columns: number): string {
  if (task === "tag") return '{ words: ["a", "text"] }';
  return columns === 2 && task !== "embed" ? '["a text", "another"]' : '"a text"';
}
