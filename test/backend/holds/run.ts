import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { backendOf, currentBackend } from "../../../src/backends/registry.ts";
import { settings } from "../../../src/base/settings.ts";
import { runProgram } from "./program.ts";

/** Programs that are drawn; `npm run check:holds` draws ten times as many. */
const programs = Number(process.env.HOLDS ?? 2000);

/** Draws programs on one backend, named as in the registry. */
export function drawPrograms(backend: string): void {
  settings.backend = backend;
  beforeAll(() => expect(currentBackend()).toBe(backendOf(backend)));
  test(`${programs} programs that hold, write and read`, { timeout: 3_600_000 }, async () => {
    const choices = fc.array(fc.nat(2 ** 20), { minLength: 20, maxLength: 80 });
    await fc.assert(fc.asyncProperty(choices, runProgram), { numRuns: programs });
  });
}
