import { parseJson } from "../../base/bounded-json.ts";
import { ConfigError } from "../../base/errors.ts";
import { baseName, isFolder, joinPath, namesIn, openFile } from "../../base/storage/index.ts";
import type { Config } from "../config.ts";

/** Larger than any file of JSON in such folders: tokenizers of 250,000 tokens have 17 MB. */
const mostBytes = 2 ** 26;

/** A file of JSON in a folder; throws `ConfigError` where it is none, or is not there. */
export function readConfig(folder: string, name = "config.json"): Config {
  if (!isFolder(folder))
    throw new ConfigError(
      `${folder} is no folder; give one that holds ${name} and weights, as Hugging Face has them`,
    );
  if (!namesIn(folder).includes(name))
    throw new ConfigError(
      `There is no ${name} in the folder ${folder} (it holds ${few(namesIn(folder))}); give one that a model was saved to`,
    );
  const path = joinPath(folder, name);
  const file = openFile(path);
  try {
    if (file.size > mostBytes)
      throw new ConfigError(`${path} has ${file.size} bytes; ${mostBytes} at most are read`);
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0);
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Config;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw new ConfigError(`${path} is no JSON: ${error.message}`, { cause: error });
  } finally {
    file.close();
  }
}

/** The first few of a folder's files. */
const few = (names: readonly string[]): string =>
  names.length === 0
    ? "nothing"
    : names.slice(0, 4).map(baseName).join(", ") + (names.length > 4 ? ", …" : "");
