"""Writes samples-*.json.gz: PyTorch's own test samples, extremes, promotions and errors, for what thaw has.

`--out DIR --seed N --shapes XS,S,M,L --reference --scale K` draws others into a folder of its own, which the tests take
by THAW_SAMPLES=DIR.
"""

import argparse
import gzip
import json
import warnings
from pathlib import Path

from fixture import HERE, SOURCE, quiet


def write(folder, name, content):
    """Compact JSON, gzipped without a time stamp."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    (folder / name).write_bytes(packed)
    print(f"{name}: {len(packed) / 2**20:.2f} MiB, {len(text) / 2**20:.1f} MiB unpacked", flush=True)


def operations(options):
    from torch.testing._internal.common_methods_invocations import op_db

    from samples.draw import errors_of, samples_of
    from samples.extremes import extremes_of
    from samples.meant import meant
    from samples.promotion import promotions
    from samples.signatures import full_name, signature_of

    found, seen = [], set()
    for info in op_db:
        if signature_of(info) is None or (options.only and info.name not in options.only):
            continue
        entries = samples_of(info, options.seed, options.shapes, options.reference, options.scale, options.most)
        entries += extremes_of(info, options.seed)
        entries += errors_of(info, options.seed)
        for entry in entries:
            key = json.dumps([entry["op"], entry["kind"], entry["args"]])
            if key not in seen:
                seen.add(key)
                found.append(entry)
        if options.verbose:
            print(full_name(info), len(entries), flush=True)
    if not options.only:
        found += promotions(options.seed, options.scale)
        found += meant(options.seed)
    names = sorted({full_name(info) for info in op_db})
    sampled = {e["op"] for e in found}
    return {"format": "samples/1", "source": SOURCE, "samples": found, "unsampled": [n for n in names if n not in sampled]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shapes", default="2,3,4,5")
    parser.add_argument("--reference", action="store_true", help="reference inputs in place of samples")
    parser.add_argument("--scale", type=float, default=1, help="how many times as many samples as are committed")
    parser.add_argument("--most", type=int, default=300, help="elements of a sample at most")
    parser.add_argument("--only", nargs="*", help="operations")
    parser.add_argument("--parts", default="operations,modules,optimizers,schedules")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.shapes = None if options.shapes == "own" else tuple(map(int, options.shapes.split(",")))
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    quiet()
    parts = options.parts.split(",")
    if "operations" in parts:
        write(options.out, "samples-operations.json.gz", operations(options))
    if "modules" in parts:
        from samples import modules

        found = modules.samples(options.seed, options.shapes, max(2, round(24 * options.scale)))
        write(options.out, "samples-modules.json.gz", {"format": "samples/1", "source": SOURCE, "samples": found})
    if "optimizers" in parts:
        from samples import optimizers

        write(options.out, "samples-optimizers.json.gz", {"format": "samples/1", "source": SOURCE, "samples": optimizers.samples(options.seed)})
    if "schedules" in parts:
        from samples import schedules

        write(options.out, "samples-schedules.json.gz", {"format": "samples/1", "source": SOURCE, **schedules.samples()})


if __name__ == "__main__":
    main()
