import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/sources.ts";

/** A fenced block of a Markdown file. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** The line that its text begins on. */
  readonly line: number;
}

/** The fenced blocks of a file of the repository, in order. */
export function blocksOf(file: string): Block[] {
  const markdown = readFileSync(join(root, file), "utf8");
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1]!,
    text: match[2]!,
    line: markdown.slice(0, match.index).split("\n").length + 1,
  }));
}
