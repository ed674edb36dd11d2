"""Writes ops.json.gz: operations on small tensors, forward and gradient, and dtype promotion."""

import warnings

from fixture import SOURCE, quiet, write
from ops import contractions, elementwise, movements, promotion, reductions
from ops.case import CASES


def main():
    quiet()
    warnings.filterwarnings("ignore", message=r".*degrees of freedom is <= 0.*")
    for kind in (elementwise, reductions, movements, contractions):
        kind.add_cases()
    print(f"{len(CASES)} cases of {len({case['op'] for case in CASES})} operations")
    write("ops.json.gz", {"format": "ops/1", "source": SOURCE, "cases": CASES, **promotion.tables()})


if __name__ == "__main__":
    main()
