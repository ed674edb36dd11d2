export { writeAtomically, writeText } from "./atomic.ts";
export { checksumOf } from "./checksum.ts";
export type { FileReader } from "./file-reader.ts";
export {
  appendFile,
  baseName,
  fileFacts,
  fileVersion,
  folderOf,
  isFolder,
  isPlainFile,
  joinPath,
  localPath,
  makeFolder,
  namesIn,
  openFile,
  readFile,
  removeAtExit,
  removeFile,
  samePlace,
  temporaryFile,
  writeFile,
} from "./files.ts";
export { temporaryEnd } from "./target.ts";
export { finishWrites, writeBehind } from "./write-behind.ts";
