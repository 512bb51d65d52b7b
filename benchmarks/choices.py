"""What each choice in flowlib's training is worth: all but one of them, by turns on the same machine.

python benchmarks/choices.py                 60 s each, about 6 minutes in all

Each row leaves out one choice and keeps the others. Rows about sampling and averaging need no training of
their own: they use the first row's. The table also goes to `--results`, as JSON with the machine; lesson 09
quotes it.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import training as benchmark

import flowlib as fl

RESULTS = benchmark.RESULTS.with_name("choices.json")


def without_gaussians(digits: fl.Digits) -> fl.Training:
    """A training whose model begins as the field of N(0, I), with no Gaussians fitted to the digits."""
    begun = fl.Training(digits, seed=0).network
    model = fl.VelocityNet()
    model.load_state_dict(begun.state_dict() | fl.VelocityNet().gaussians.state_dict(prefix="gaussians."))
    return fl.Training(digits, model, seed=0)


WHOLE = "all as it is"
TRAININGS: dict[str, Callable] = {
    WHOLE: partial(fl.Training, seed=0),
    "without the Gaussians": without_gaussians,
    "times even over [0, 1]": partial(fl.Training, seed=0, times="uniform"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the table, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--seconds", type=float, default=60, help="of training, for each")
    parser.add_argument("--samples", type=int, default=2000, help="digits to draw and judge")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON file")
    chosen = parser.parse_args(arguments)
    digits = fl.load_digits()
    trainings = {name: start(digits) for name, start in TRAININGS.items()}
    benchmark.train_by_turns(trainings, chosen.seconds, slice_seconds=5)

    judged = partial(benchmark.samples_quality, digits=digits, samples=chosen.samples)
    whole = trainings[WHOLE]
    rows = {name: judged(training.model) for name, training in trainings.items()}
    rows["the last weights, no average"] = judged(whole.network)
    rows["solver steps of equal length"] = judged(whole.model, power=1)
    report = {
        "machine": benchmark.machine(),
        "seconds": chosen.seconds,
        "samples": chosen.samples,
        "steps": {name: training.step for name, training in trainings.items()},
        "rows": rows,
    }
    print("| what is different | read right | Fréchet distance |\n|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['accuracy']:.1%} | {row['distance']:.2f} |")
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    chosen.results.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
