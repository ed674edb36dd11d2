import { StateDictError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import { isFolder, localPath } from "../../base/storage/index.ts";
import { loadTensors } from "../../checkpoint/load.ts";
import { openTensors, type SourceEntry, type TensorSource } from "../../checkpoint/open.ts";
import { folderAt } from "../../checkpoint/places/folder-at.ts";
import { refuseTransfer, type Transfer } from "../../checkpoint/places/place.ts";
import type { PretrainedModel } from "../pretrained-model.ts";
import { pathsOf } from "./weight-names.ts";

/** How the weights of a folder were found in a model. */
export interface LoadedWeights {
  /** Paths of a head or a pooler that keep the values that were drawn: the folder has none, or a head of another shape. */
  readonly drawn: readonly string[];
  /** Names of what the folder has and the model has no place for, such as another head. */
  readonly unused: readonly string[];
}

/**
 * Puts weights of a folder, as Hugging Face has them, into a model: one file or several, of f32, bf16 or f16, with old
 * names and new ones, of the encoder alone or under another head. A head that the folder has not, or has for another
 * number of classes, keeps its values, and so does a pooler that it has not. All is checked first: after an error nothing
 * has changed.
 *
 * Takes the model and the path of the folder, of a safetensors file or of an index, or the URL of a folder or file, with
 * what is told of the progress. Gives which of the model's weights
 * were not there, and which of the folder's were of no use.
 * Throws `StateDictError` where weights of the encoder are missing or of another shape, `SafetensorsError` for files that
 * are broken, or where there are only pickles, `FileError`.
 */
export async function loadPretrained(
  model: PretrainedModel,
  path: string | URL,
  transfer: Transfer = {},
): Promise<LoadedWeights> {
  refuseTransfer("loadPretrained", transfer);
  const local = localPath(path);
  const isFile = local !== null && !isFolder(local);
  const source = isFile ? openTensors(local) : await folderAt(path, transfer).tensors();
  return putPretrained(model, source, String(path));
}

/** As `loadPretrained`, of tensors that are open, which it closes; errors call them by a name. */
export function putPretrained(model: PretrainedModel, source: TensorSource, path: string): LoadedWeights {
  try {
    return put(model, source, path);
  } finally {
    source.close();
  }
}

function put(model: PretrainedModel, source: TensorSource, path: string): LoadedWeights {
  const { entries } = source;
  const rename = pathsOf(model, entries.keys());
  const given = new Map([...entries].map(([name, entry]) => [rename(name), { name, entry }]));
  const head = new Set(model.headPaths());
  const drawn: string[] = [];
  const wrong: string[] = [];
  for (const paths of tied(model)) {
    const found = paths.filter((p) => given.has(p));
    const { shape } = model.getParameter(paths[0]!);
    const isHead = paths.every((p) => head.has(p));
    const other = found.find((p) => !sameShape(given.get(p)!.entry.shape, shape));
    const isLacking = found.length === 0 && (isHead || paths.every((p) => pooler.test(p)));
    if (isLacking || (isHead && other !== undefined)) drawn.push(...paths);
    else if (found.length === 0) wrong.push(`${paths.join(" or ")} is missing`);
    else if (other !== undefined)
      wrong.push(`${text(given.get(other)!)}, the model has ${shapeText(shape)} as ${other}`);
  }
  if (wrong.length > 0) throw new StateDictError(refusal(model, path, wrong));
  const { unexpectedKeys } = loadTensors(
    source,
    { module: model, rename, strict: false, skipMismatched: true },
    path,
  );
  return { drawn, unused: unexpectedKeys.filter((name) => !derived.test(name)) };
}

/** What files of models that have no use for it lack, such as those that find tokens. */
const pooler = /(^|\.)pooler\./;

/** Buffers of counted positions, which old files have: models make them anew. */
const derived = /(^|\.)embeddings\.(position|token_type)_ids$/;

/** Paths of each parameter: several of one that is tied. */
function tied(model: PretrainedModel): string[][] {
  const paths = new Map<unknown, string[]>();
  for (const [path, parameter] of model.namedParameters({ removeDuplicate: false }))
    paths.set(parameter, [...(paths.get(parameter) ?? []), path]);
  return [...paths.values()];
}

const text = ({ name, entry }: { name: string; entry: SourceEntry }): string =>
  `${printable(name)} is ${shapeText(entry.shape)}`;

function refusal(model: PretrainedModel, path: string, wrong: readonly string[]): string {
  const lines = wrong.slice(0, 8).map((line) => `  ${line}`);
  if (wrong.length > lines.length) lines.push(`  and ${wrong.length - lines.length} more`);
  return `${model.architecture} does not fit the weights of ${path}; nothing was loaded. They must be those that belong to the config.\n${lines.join("\n")}`;
}
