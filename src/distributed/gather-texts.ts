import type { Engine, Meeting } from "./engine.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What every rank says, by rank. */
export const gatherTexts = (engine: Engine, meeting: Meeting, text: string): string[] =>
  engine.gather(meeting, encoder.encode(text)).map((bytes) => decoder.decode(bytes));
