import { BackendError } from "../../base/errors.ts";
import { linkOrCopy } from "./folder.ts";
import { featureOf, processor } from "./machine.ts";
import { node } from "./node.ts";
import { isSealed } from "./seal.ts";
import type { Toolchain } from "./toolchain.ts";
import { type Described, readDescribed } from "./toolchain-file.ts";

/** What the file `manifest.json` of a folder of kernels says of them. */
type Manifest = Described & { readonly format: 1; readonly platform: string };

/** Machines whose loader takes each other's objects. */
const platform = (): string => `${process.platform} ${process.arch}`;

/** A folder of kernels compiled ahead of time, for machines that have no compiler. */
export class KernelFolder {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Where files are that were copied here, by their numbers: a file of several names stays one. */
  readonly #copied = new Map<number, string>();

  private constructor(folder: string, manifest: Manifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  /** One that is there; throws `BackendError` where it is none, or is for another processor. */
  static open(folder: string): KernelFolder {
    const { path } = node();
    let manifest: Manifest;
    try {
      manifest = readDescribed(path.join(folder, "manifest.json"), 1) as Described as Manifest;
    } catch (error) {
      throw new BackendError(
        `native: ${folder}, which THAW_KERNELS names, holds no kernels (${(error as Error).message}); make it with thaw compile`,
      );
    }
    if (manifest.platform !== platform())
      throw new BackendError(
        `native: the kernels in ${folder} are for ${manifest.platform}, and this is ${platform()}; compile them on one like it`,
      );
    const { features } = processor();
    const missing =
      features.length === 0 ? [] : manifest.features.filter((name) => !features.includes(featureOf(name)));
    if (missing.length > 0)
      throw new BackendError(
        `native: the kernels in ${folder} need ${missing.map(featureOf).join(", ")}, which this processor lacks; ` +
          "compile them on one like it",
      );
    return new KernelFolder(path.resolve(folder), manifest);
  }

  /** A new one, or one that the same toolchain has begun. */
  static make(folder: string, { compiler: _, ...toolchain }: Toolchain): KernelFolder {
    const { fs, path } = node();
    fs.mkdirSync(folder, { recursive: true });
    const file = path.join(folder, "manifest.json");
    const manifest: Manifest = { format: 1, platform: platform(), ...toolchain };
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
    const { ino } = fs.statSync(file);
    const copied = this.#copied.get(ino);
    if (copied === undefined) fs.copyFileSync(file, temporary);
    else linkOrCopy(copied, temporary);
    fs.renameSync(temporary, place);
    this.#copied.set(ino, place);
  }
}
