"""Writes layers.json.gz: losses, modules, schedules, clipping, initialisers, printing."""

import warnings

from fixture import SOURCE, quiet, write
from layers import losses, modules, printing, training
from ops.case import CASES


def main():
    quiet()
    warnings.filterwarnings("ignore", message=r".*reduction: 'mean' divides.*")
    warnings.filterwarnings("ignore", message=r".*lr_scheduler.*")
    warnings.filterwarnings("ignore", message=r"Implicit dimension.*")
    losses.add_cases()
    split = len(CASES)
    modules.add_cases()
    content = {
        "format": "layers/1",
        "source": SOURCE,
        "losses": CASES[:split],
        "modules": CASES[split:],
        "schedules": training.schedule_cases(),
        "clipping": training.clipping_cases(),
        "gains": training.gain_cases(),
        "initialisers": training.initialiser_cases(),
        "defaults": training.default_cases(),
        "prints": printing.print_cases(),
    }
    print({key: len(value) for key, value in content.items() if isinstance(value, list)})
    write("layers.json.gz", content)


if __name__ == "__main__":
    main()
