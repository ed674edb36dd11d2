import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";

// What a user gets: the packed tarball, installed in a folder of its own. `npm test` has just built dist/.

const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const subpaths = Object.keys(packageJson.exports).filter((path) => path !== "./package.json");
const specifier = (subpath: string) => `thaw${subpath.slice(1)}`;
const bin = (name: string) => join(root, "node_modules/.bin", name);

let user: string;
let tarball: string;

/** Runs a program in the user's folder; a failure's error carries all that the program printed. */
async function run(command: string, args: string[], cwd = user): Promise<string> {
  try {
    // Whatever backend these tests run on: the user's install has what it has.
    const env = { ...process.env, THAW_BACKEND: "" };
    return (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 1e8 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")}\n${stdout}\n${stderr}`, { cause: error });
  }
}

const write = (file: string, text: string) => writeFileSync(join(user, file), text);

beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), "thaw-user-"));
  const [packed] = JSON.parse(
    await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", user], root),
  );
  tarball = join(user, packed.filename);
  // Dependencies come from this checkout, so that the test needs no network; npm still checks their ranges.
  const dependencies = Object.fromEntries(
    Object.keys(packageJson.dependencies).map((name) => [name, `file:${join(root, "node_modules", name)}`]),
  );
  write("package.json", JSON.stringify({ name: "user", private: true, type: "module", dependencies }));
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${packed.filename}`]);
}, 120_000);

afterAll(() => rmSync(user, { recursive: true, force: true }));

test.each(subpaths)("%s is importable and exports something", async (subpath) => {
  const script = `console.log(Object.keys(await import("${specifier(subpath)}")).length)`;
  expect(Number(await run("node", ["--input-type=module", "-e", script]))).toBeGreaterThan(0);
});

test("classes are called what they are exported as", async () => {
  // A bundler may give a class another name, and errors and reports tell names.
  const script = `for (const path of ${JSON.stringify(subpaths.map(specifier))})
    for (const [name, value] of Object.entries(await import(path)))
      if (/^class\\b/.test(String(value)) && value.name !== name) console.log(path, name, value.name);`;
  expect(await run("node", ["--input-type=module", "-e", script])).toBe("");
});

test("parts are loaded when they are first called, and only those", async () => {
  const script = `
    import { createRequire } from "node:module";
    import { basename, dirname } from "node:path";
    import { tensor } from "thaw";
    const isOurs = (file) => basename(dirname(file)) === "chunks";
    const loaded = () =>
      Object.keys(createRequire(import.meta.url).cache).filter(isOurs).map((file) => basename(file, ".js"));
    const before = loaded();
    const value = await tensor([1, 2]).add(1).item().catch((error) => error.name);
    await tensor([1, 2]).add(1).data();
    console.log(JSON.stringify({ before, value, after: loaded() }));`;
  const loadedWith = async (env: Record<string, string>, cwd = user) => {
    const args = ["--input-type=module", "-e", script];
    const { stdout } = await promisify(execFile)("node", args, { cwd, env: { ...process.env, ...env } });
    const { before, value, after } = JSON.parse(stdout);
    expect({ before, value }).toEqual({ before: [], value: "ShapeError" });
    return after.sort();
  };
  const steps = "steps-and-plans";
  expect(await loadedWith({ THAW_BACKEND: "wasm" })).toEqual(["lowering", steps, "wasm"]);
  // This checkout has koffi. Verification lowers what is on disk too.
  const native = { THAW_BACKEND: "native", THAW_CACHE: join(user, "kernels"), THAW_VERIFY: "" };
  expect(await loadedWith(native, root)).toEqual(["c", "lowering", steps]);
  expect(await loadedWith(native, root)).toEqual([steps]);
});

test("a namespace loads the rest of it when that is first used, and has what its own entry exports", async () => {
  const script = `
    import { createRequire } from "node:module";
    import { basename } from "node:path";
    import * as thaw from "thaw";
    const loaded = () =>
      Object.keys(createRequire(import.meta.url).cache).map((file) => basename(file, ".js")).filter((name) => name in thaw);
    new thaw.optim.SGD(new thaw.nn.Linear(2, 2), { lr: 1 });
    const before = loaded();
    thaw.nn.LayerNorm, thaw.nn.RMSNorm;
    const after = loaded();
    const differing = [];
    for (const name of ["data", "distributed", "nn", "optim"]) {
      const entry = await import("thaw/" + name);
      for (const key of new Set([...Object.keys(entry), ...Object.keys(thaw[name])]))
        if (typeof entry[key] === "object" ? typeof thaw[name][key] !== "object" : entry[key] !== thaw[name][key])
          differing.push(name + "." + key);
    }
    class Own extends thaw.nn.RMSNorm {}
    const own = new Own([2]) instanceof thaw.nn.RMSNorm && thaw.nn.RMSNorm.name;
    console.log(JSON.stringify({ before, after, differing, own, tag: Object.prototype.toString.call(thaw.nn) }));`;
  write("namespaces.mjs", script);
  const { before, after, differing, own, tag } = JSON.parse(await run("node", ["namespaces.mjs"]));
  expect({ before, after, differing, own, tag }).toEqual({
    before: [],
    after: ["nn"],
    differing: [],
    own: "RMSNorm",
    tag: "[object Module]",
  });
});

test("what is not exported cannot be imported", async () => {
  const script = 'await import("thaw/plan")';
  await expect(run("node", ["--input-type=module", "-e", script])).rejects.toThrow(
    "ERR_PACKAGE_PATH_NOT_EXPORTED",
  );
});

test("the thaw command runs", async () => {
  expect(await run(join(user, "node_modules/.bin/thaw"), ["--help"])).toContain("thaw");
});

const script = `
import { crossEntropy, manualSeed, nn, optim, tensor, type Tensor, trainStep } from "thaw";
${subpaths.map((subpath, i) => `import * as m${i} from "${specifier(subpath)}";`).join("\n")}

class Network extends nn.Module {
  first = new nn.Linear(3, 4);
  second = new nn.Linear(4, 2);

  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x).relu());
  }
}

manualSeed(0);
const net = new Network();
const optimizer = new optim.AdamW(net, { lr: 0.01 });
const step = trainStep(optimizer, {
  loss: (x: Tensor, y: Tensor) => crossEntropy(net.forward(x), y),
  trains: () => ["second.**"],
});
const x = tensor([[1, 2, 3], [4, 5, 6]]);
const y = tensor([0, 1], { dtype: "i32" });
const before: number = await step(x, y);
const after: number = await step(x, y);
console.log(JSON.stringify({ before, after, modules: [${subpaths.map((_, i) => `typeof m${i}`)}] }));
`;

describe.each(["nodenext", "bundler"])("a user's script under module resolution %s", (resolution) => {
  /** Writes a project of one file and compiles it; gives its folder. */
  async function compile(name: string, text: string): Promise<string> {
    const folder = `${name}-${resolution}`;
    mkdirSync(join(user, folder));
    write(`${folder}/main.ts`, text);
    const compilerOptions = {
      target: "es2022",
      // No newer library than README names.
      lib: ["es2022", "dom"],
      module: resolution === "nodenext" ? "nodenext" : "esnext",
      moduleResolution: resolution,
      strict: true,
      // The published types must be right on their own, without those of Node.
      skipLibCheck: false,
      types: [],
    };
    write(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    await run(bin("tsc"), ["-p", folder]);
    return folder;
  }

  test("type-checks against the published types, and trains", async () => {
    const folder = await compile("script", script);
    const { before, after } = JSON.parse(await run("node", [join(folder, "main.js")]));
    expect(after).toBeLessThan(before);
  });

  test("does not type-check with a mistake in it", async () => {
    const mistake = 'import { nn } from "thaw";\nnew nn.Linear("three", 4);\n';
    await expect(compile("mistake", mistake)).rejects.toThrow("TS2345");
  });
});

test("attw finds nothing wrong with the types", async () => {
  await run(bin("attw"), ["--profile", "esm-only", tarball]);
});

test("publint finds nothing wrong with the package", async () => {
  const bytes = readFileSync(tarball);
  const archive = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball: archive }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
});

test("the tarball holds what is published, and nothing else", async () => {
  const files = (await run("tar", ["tzf", tarball])).trim().split("\n");
  const expected =
    /^package\/(dist\/.+\.(js|d\.ts)(\.map)?|src\/.+\.ts|data\/.+|[A-Z]+(\.md)?|package\.json)$/;
  expect(files.filter((file) => !expected.test(file))).toEqual([]);
  for (const file of [
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "package.json",
    "dist/index.js",
    "dist/index.d.ts",
  ]) {
    expect(files).toContain(`package/${file}`);
  }
});
