export { writeAtomically } from "./atomic.ts";
export { checksumOf } from "./checksum.ts";
export {
  type FileReader,
  folderOf,
  isFolder,
  joinPath,
  namesIn,
  openFile,
  readFile,
  removeFile,
  writeFile,
} from "./files.ts";
export { temporaryEnd } from "./target.ts";
export { finishWrites, writeBehind } from "./write-behind.ts";
