import { ArgumentError } from "../../base/errors.ts";
import type { Classifier } from "../auto-model.ts";

/** Throws `ArgumentError` for a model that does not give one of several labels for each text. */
export function requireClassifier(op: string, model: Classifier): void {
  const { architecture, labels, config } = model;
  if (!String(architecture).endsWith("ForSequenceClassification"))
    throw new ArgumentError(
      `${op}: the model is ${architecture ?? typeof model}, which gives no label for a text; make it with autoModel(folder, { task: "classify", labels })`,
    );
  if (labels.length < 2)
    throw new ArgumentError(
      `${op}: the model has ${labels.length} label, and nothing to choose from; give autoModel the labels that there are`,
    );
  const { problem_type: type } = config;
  if (type !== undefined && type !== null && type !== "single_label_classification")
    throw new ArgumentError(
      `${op}: the config says problem_type ${JSON.stringify(type)}, and only one label a text is there yet; take problem_type out of config.json if texts have one label each`,
    );
}
