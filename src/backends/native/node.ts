/** Node's modules that the native backend is built on. */
export const node = () => {
  const { getBuiltinModule: get } = process;
  return {
    fs: get("node:fs"),
    path: get("node:path"),
    os: get("node:os"),
    crypto: get("node:crypto"),
    /** Loaded only where something is to be run. */
    get spawn() {
      return get("node:child_process").spawnSync;
    },
  };
};

/** SHA-256 in hexadecimal. */
export const digestOf = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = node().crypto.createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
};
