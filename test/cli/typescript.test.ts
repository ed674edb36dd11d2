import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { root } from "../../scripts/sources.ts";
import { typescriptOptions } from "../../src/cli/typescript.ts";
import { inFolder } from "../backends/native/child.ts";

afterEach(() => vi.unstubAllGlobals());

/** A process of another Node, with these options, started from nowhere in particular. */
function stubNode(version: string, folder: string, { options = "", native = false } = {}): void {
  vi.stubGlobal("process", {
    getBuiltinModule: process.getBuiltinModule,
    cwd: () => folder,
    argv: ["node", join(folder, "main.js")],
    execArgv: [],
    env: { NODE_OPTIONS: options },
    features: { typescript: native && "strip" },
    versions: { node: version },
  });
}

test("what runs TypeScript is what there is", () =>
  inFolder(async (folder) => {
    let script = join(folder, "script.ts");
    // A project of its own, as Node remembers what it has not found in a folder.
    const projectWith = (name: string): string => {
      mkdirSync(join(folder, name, "node_modules"), { recursive: true });
      symlinkSync(join(root, "node_modules", name), join(folder, name, "node_modules", name));
      return join(folder, name, "script.ts");
    };
    stubNode("20.19.0", folder);
    expect(typescriptOptions(join(folder, "script.js"))).toEqual([]);
    expect(typescriptOptions(script)).toBeNull();
    for (const [name, how] of [
      ["tsx", /tsx.*loader/],
      ["esbuild", /transformSync/],
      ["typescript", /transpileModule/],
    ] as const) {
      script = projectWith(name);
      expect(typescriptOptions(script)).toEqual(["--import", expect.stringMatching(how)]);
    }
    // What has been started so is not started again.
    for (const options of [typescriptOptions(script)!.join(" "), "--import tsx"]) {
      stubNode("20.19.0", folder, { options });
      expect(typescriptOptions(script)).toEqual([]);
    }
    stubNode("22.6.0", folder);
    expect(typescriptOptions(script)![0]).toBe("--experimental-strip-types");
    stubNode("23.1.0", folder);
    expect(typescriptOptions(script)![0]).toBe("--experimental-strip-types");
    stubNode("24.0.0", folder, { native: true });
    expect(typescriptOptions(script)).toEqual([]);
  }));
