"""Writes more-optimizers.json.gz: training runs with freezing as in make-replay.py, of optimizers that came later.

Muon takes matrices only: its networks have no biases, and no LayerNorm.
"""

import importlib

from fixture import quiet, write

replay = importlib.import_module("make-replay")

PER_OPTIMIZER = 20
OPTIONS = {
    "Adafactor": {
        "lr": [0.05, 0.5, 0.01],
        "beta2Decay": [-0.5, -1.0, 0.0],
        "eps": [[None, 0.01], [1e-6, 1e-3], [1e-3, 0.1]],
        "d": [2.0, 1.5],
        "weightDecay": [0.01, 0.1],
        "maximize": [True],
    },
    "Muon": {
        "lr": [0.005, 0.002],
        "weightDecay": [0.0, 0.5],
        "momentum": [0.5, 0.0],
        "nesterov": [False],
        "nsCoefficients": [[2.0, -1.5, 0.5], [3.0, -3.2, 1.2]],
        "eps": [1e-3, 1.0],
        "nsSteps": [1, 3, 8],
        "adjustLrFn": ["original", "match_rms_adamw"],
    },
}


def without_vectors(draw_network):
    """Networks whose parameters are matrices."""

    def draw(rng, deep):
        while True:
            modules, tasks, classes = draw_network(rng, deep)
            kinds = modules.values()
            if all(m["type"] != "LayerNorm" and not m.get("bias", False) for m in kinds):
                return modules, tasks, classes

    return draw


def main():
    quiet()
    replay.OPTIONS = OPTIONS
    any_network = replay.draw_network
    cases = []
    for name in OPTIONS:
        replay.draw_network = without_vectors(any_network) if name == "Muon" else any_network
        cases += [replay.make(name, index, seed=1)[0] for index in range(PER_OPTIMIZER)]
    write("more-optimizers.json.gz", {"format": "replay/1", "cases": cases})


if __name__ == "__main__":
    main()
