export { writeAtomically } from "./atomic.ts";
export {
  type FileReader,
  folderOf,
  isFolder,
  joinPath,
  namesIn,
  openFile,
  readFile,
  removeAtExit,
  removeFile,
  writeFile,
} from "./files.ts";
