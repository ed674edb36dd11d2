"""How every fixture of this folder is written: nine digits, one line, the same bytes every time."""

import gzip
import json
import math
from pathlib import Path

import torch

HERE = Path(__file__).parent
SOURCE = f"PyTorch {torch.__version__}"


def plain(value, digits=9):
    """Anything as JSON can hold it: nine significant digits carry every float32 there and back, 17 every float64."""
    if isinstance(value, torch.Tensor):
        return plain(value.tolist(), digits)
    if isinstance(value, dict):
        return {key: plain(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, digits) for item in value]
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.{digits}g}")


def write(name, content, digits=9):
    """Writes `content` as compact JSON, gzipped without a time stamp."""
    text = json.dumps(plain(content, digits), separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    (HERE / name).write_bytes(packed)
    print(f"{name}: {len(packed) / 1024:.0f} KiB, {len(text) / 1024:.0f} KiB unpacked")


def quiet():
    """One thread, so that no sum depends on how many cores the machine has."""
    torch.set_num_threads(1)
