import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { cachePlace } from "../../../src/backends/native/folder.ts";
import { settings } from "../../../src/base/settings.ts";
import { inFolder } from "./child.ts";

const { cache, xdgCache } = settings;
const { HOME } = process.env;
afterEach(() => {
  Object.assign(settings, { cache, xdgCache });
  process.env.HOME = HOME;
  vi.restoreAllMocks();
});

const usual = join(userInfo().homedir, ".cache", "thaw");

test.each([undefined, "", "relative", "."])("HOME %j puts nothing where the program is run", (home) =>
  inFolder((folder) => {
    vi.spyOn(process, "cwd").mockReturnValue(folder);
    Object.assign(settings, { cache: undefined, xdgCache: undefined });
    if (home === undefined) delete process.env.HOME;
    else process.env.HOME = home;
    expect(cachePlace()).toBe(usual);
  }),
);

test("a relative XDG_CACHE_HOME counts as none; THAW_CACHE is taken as it is", () => {
  process.env.HOME = "/home/somebody";
  Object.assign(settings, { cache: undefined, xdgCache: "cache" });
  expect(cachePlace()).toBe("/home/somebody/.cache/thaw");
  settings.xdgCache = "/var/cache/somebody";
  expect(cachePlace()).toBe("/var/cache/somebody/thaw");
  settings.cache = "kernels";
  expect(cachePlace()).toBe(join(process.cwd(), "kernels"));
});

test("a user without a home, of whom the system knows nothing", () => {
  const os = process.getBuiltinModule("node:os");
  for (const name of ["homedir", "userInfo"] as const)
    vi.spyOn(os, name).mockImplementation(() => {
      throw new Error("ENOENT: no such user");
    });
  Object.assign(settings, { cache: undefined, xdgCache: undefined });
  expect(cachePlace()).toBe(null);
});
