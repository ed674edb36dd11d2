import { availableParallelism } from "node:os";
import { describe, expect, test } from "vitest";
import { availableCores, type Machine } from "../../src/backends/cores.ts";

/** A machine of 16 cores with some files. */
const machine = (files: Record<string, string>, parallelism = 16): Machine => ({
  parallelism,
  read: (path) => files[path] ?? "",
});

test("without control groups, the cores that the process may run on", () => {
  expect(availableCores(machine({}))).toBe(16);
  expect(availableCores(machine({}, 3))).toBe(3);
});

test("this machine has some", () => {
  expect(availableCores()).toBeGreaterThanOrEqual(1);
  expect(availableCores()).toBeLessThanOrEqual(availableParallelism());
});

describe("control groups, version 2", () => {
  const group = (files: Record<string, string>, path = "/a/b") =>
    availableCores(machine({ "/proc/self/cgroup": `0::${path}\n`, ...files }));

  test.each([
    ["400000 100000", 4],
    ["50000 25000", 2],
    ["150000 100000", 1],
    ["10000 100000", 1],
    ["max 100000", 16],
    ["6400000 100000", 16],
    ["", 16],
    ["nonsense", 16],
    ["0 0", 16],
  ])("%j", (quota, cores) => {
    expect(group({ "/sys/fs/cgroup/a/b/cpu.max": quota })).toBe(cores);
  });

  test("the least of all groups around counts", () => {
    expect(
      group({ "/sys/fs/cgroup/a/b/cpu.max": "max 100000", "/sys/fs/cgroup/a/cpu.max": "300000 100000" }),
    ).toBe(3);
  });

  test("a container's own group is the root of what it sees", () => {
    expect(group({ "/sys/fs/cgroup/cpu.max": "200000 100000" }, "/")).toBe(2);
    expect(group({ "/sys/fs/cgroup/cpu.max": "200000 100000" }, "/../../elsewhere")).toBe(2);
  });

  test("affinity and quota both hold", () => {
    const files = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "800000 100000" };
    expect(availableCores(machine(files, 2))).toBe(2);
  });
});

describe("control groups, version 1", () => {
  const group = (controllers: string, mount: string, quota: string) =>
    availableCores(
      machine({
        "/proc/self/cgroup": `7:memory:/x\n4:${controllers}:/docker/1\n1:name=systemd:/x\n`,
        [`${mount}/cpu.cfs_quota_us`]: quota,
        [`${mount}/cpu.cfs_period_us`]: "100000\n",
      }),
    );

  test.each([
    ["cpu", "/sys/fs/cgroup/cpu/docker/1", "300000\n", 3],
    ["cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/docker/1", "200000\n", 2],
    ["cpu,cpuacct", "/sys/fs/cgroup/cpu", "200000\n", 2],
    ["cpu", "/sys/fs/cgroup/cpu/docker/1", "-1\n", 16],
    ["cpuset", "/sys/fs/cgroup/cpu/docker/1", "300000\n", 16],
  ])("%s at %s: %j", (controllers, mount, quota, cores) => {
    expect(group(controllers, mount, quota)).toBe(cores);
  });
});
