import { BackendError } from "../../base/errors.ts";
import { processor } from "./machine.ts";
import { node } from "./node.ts";
import { isSealed } from "./seal.ts";
import type { Toolchain } from "./toolchain.ts";

/** What the file `manifest.json` of a folder of kernels says of them. */
type Manifest = Omit<Toolchain, "compiler"> & { readonly format: 1 };

/** Linux's names of the instruction sets that compilers name otherwise. */
const linuxName = (feature: string): string => feature.replaceAll("__", "").toLowerCase();

/** A folder of kernels compiled ahead of time, for machines that have no compiler. */
export class KernelFolder {
  readonly folder: string;
  readonly manifest: Manifest;

  private constructor(folder: string, manifest: Manifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  /** One that is there; throws `BackendError` where it is none, or is for another processor. */
  static open(folder: string): KernelFolder {
    const { fs, path } = node();
    let manifest: Manifest;
    try {
      manifest = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8")) as Manifest;
      if (manifest.format !== 1) throw new Error(`its format is ${manifest.format}`);
    } catch (error) {
      throw new BackendError(
        `native: ${folder}, which THAW_KERNELS names, holds no kernels (${(error as Error).message}); make it with thaw compile`,
      );
    }
    const { features } = processor();
    const missing =
      features.length === 0 ? [] : manifest.features.filter((f) => !features.includes(linuxName(f)));
    if (missing.length > 0)
      throw new BackendError(
        `native: the kernels in ${folder} need ${missing.map(linuxName).join(", ")}, which this processor lacks; ` +
          "compile them on one like it",
      );
    return new KernelFolder(folder, manifest);
  }

  /** A new one, or one that the same toolchain has begun. */
  static make(folder: string, { compiler: _, ...toolchain }: Toolchain): KernelFolder {
    const { fs, path } = node();
    fs.mkdirSync(folder, { recursive: true });
    const file = path.join(folder, "manifest.json");
    const manifest: Manifest = { format: 1, ...toolchain };
    if (!fs.existsSync(file)) fs.writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
    const made = KernelFolder.open(folder);
    if (made.manifest.fingerprint !== toolchain.fingerprint)
      throw new BackendError(
        `native: ${folder} holds kernels of another compiler or machine; name an empty folder`,
      );
    return made;
  }

  /** The path of an object, or null; throws `BackendError` where it is not as it was made. */
  path(key: string): string | null {
    const file = node().path.join(this.folder, `${key}.so`);
    if (!node().fs.existsSync(file)) return null;
    if (!isSealed(file))
      throw new BackendError(
        `native: ${file} is not as it was made; make ${this.folder} again with thaw compile`,
      );
    return file;
  }

  /** Copies an object here. */
  add(key: string, file: string): void {
    const { fs, path } = node();
    const place = path.join(this.folder, `${key}.so`);
    if (path.resolve(file) === path.resolve(place) || fs.existsSync(place)) return;
    const temporary = `${place}.${process.pid}.tmp`;
    fs.copyFileSync(file, temporary);
    fs.renameSync(temporary, place);
  }
}
