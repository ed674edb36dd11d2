import { parseJson } from "../../base/bounded-json.ts";
import { ConfigError } from "../../base/errors.ts";
import type { Folder } from "./folder.ts";

/** Larger than any file of JSON in folders of models: tokenizers of 250,000 tokens have 17 MB. */
const mostBytes = 2 ** 26;

/** A file of JSON in a folder; throws `ConfigError` where it is none, or is not there, which `remedy` says what to do about. */
export async function readJson(
  folder: Folder,
  name: string,
  remedy: string,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await folder.read(name, mostBytes);
  if (bytes === null) throw new ConfigError(`${folder.lacks(name)}; ${remedy}`);
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw new ConfigError(`${folder.nameOf(name)} is no JSON: ${error.message}`, { cause: error });
  }
}
