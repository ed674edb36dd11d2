import { ArgumentError } from "../../../base/errors.ts";
import type { TextModel } from "../../text-model.ts";

/** What a model finds: a label, labels or a number of a text, labels of words, tokens that are masked, or embeddings. */
export type ModelKind = "class" | "classes" | "number" | "tags" | "masked" | "embeddings";

/** Kinds of a head for texts, by what a config calls them. */
const problems: Readonly<Record<string, ModelKind>> = {
  single_label_classification: "class",
  multi_label_classification: "classes",
  regression: "number",
};

/** What a model finds. Throws `ArgumentError` for one that finds nothing of these. */
export function kindOf(op: string, model: TextModel): ModelKind {
  const architecture = String(model?.architecture);
  if (architecture.endsWith("ForTokenClassification")) return "tags";
  if (architecture.endsWith("ForMaskedLM")) return "masked";
  if (architecture === "SentenceTransformer") return "embeddings";
  if (!architecture.endsWith("ForSequenceClassification"))
    throw new ArgumentError(
      `${op}: the model is ${model?.architecture ?? typeof model}, which has no head; make it with autoModel(folder, { task: "classify", labels }), or for another task than "encode"`,
    );
  const { labels, config } = model as TextModel & { readonly labels: readonly string[] };
  const { problem_type: given } = config;
  // As transformers has it, where the config does not say.
  const type = given ?? (labels.length === 1 ? "regression" : "single_label_classification");
  const kind = Object.hasOwn(problems, String(type)) ? problems[String(type)] : undefined;
  if (kind === undefined)
    throw new ArgumentError(
      `${op}: the config says problem_type ${JSON.stringify(type)}; it is ${Object.keys(problems).join(", ")}`,
    );
  if (kind === "class" && labels.length < 2)
    throw new ArgumentError(
      `${op}: the model has ${labels.length} label, and nothing to choose from; give autoModel the labels that there are, or task "regress"`,
    );
  if (kind === "number" && labels.length !== 1)
    throw new ArgumentError(
      `${op}: the model finds a number, and has ${labels.length} labels; make it with autoModel(folder, { task: "regress" })`,
    );
  return kind;
}
