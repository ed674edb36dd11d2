import type { Folder } from "../../checkpoint/places/folder.ts";
import { readJson } from "../../checkpoint/places/read-json.ts";
import type { Config } from "../config.ts";

/** A file of JSON in a folder of a model; throws `ConfigError` where it is none, or is not there. */
export const readConfig = (folder: Folder, name = "config.json"): Promise<Config> =>
  readJson(folder, name, "give a folder that a model was saved to, as Hugging Face has them");
