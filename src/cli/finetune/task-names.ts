import type { Task } from "../../models/auto-model.ts";

/** What tasks are called at a terminal, and in code. */
export const taskNames = {
  classify: "classify",
  "multi-label": "multiLabel",
  regress: "regress",
  tag: "tag",
  "masked-lm": "maskedLM",
  embed: "embed",
} as const satisfies Readonly<Record<string, Task>>;

/** Tasks that a model can be tuned for. */
export type TunedTask = (typeof taskNames)[keyof typeof taskNames];
