export { writeAtomically } from "./atomic.ts";
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
