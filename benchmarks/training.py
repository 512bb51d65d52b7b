"""Quality against seconds: flowlib's training and its peers', by turns on the same machine.

python benchmarks/training.py                              10, 20 and 60 s each, about 20 minutes in all
python benchmarks/training.py --budgets 300 --only flowlib --results benchmarks/results/five_minutes.json

For every budget, each candidate trains from its beginning, because a learning rate that falls to zero is
bound to its budget: half-way through a long run, a network is worse than at the end of a short one. The
candidates take turns, a slice of `--slice` seconds each, so that a machine that slows down slows all of
them. Only the time within training steps counts; the seconds to set a candidate up (for flowlib, to fit its
Gaussians) stand beside it. Then each draws `--samples` digits in 25 plain Euler steps, the k-th at
t = (k / 25)⁴, and flowlib's judge looks at them.

All learn from the 5,000 bundled digits with the same loss. flowlib's training is the library's own, as it
is; it begins from Gaussians fitted to the digits (`buffers` in the JSON counts their numbers), and a tenth
of its images have no class. Its peers begin from nothing, and get what `recipe.py` says. The table also
goes to `--results`, as JSON with the machine, and to `--picture`, as a figure.

torchcfm's U-Net takes part where its packages are: pip install --no-deps torchcfm pot scipy.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from figure import quality_figure
from peers import ConvNet, ResidualMLP, TorchCFMUNet, Transformer
from recipe import PeerTraining

import flowlib as fl

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "training.json"
PICTURE = ROOT / "notebooks" / "pictures" / "quality_against_seconds.png"
EULER_STEPS, POWER = 25, 4
PIECE = 250  # images drawn at once
NEEDED_BY_TORCHCFM = ("torchcfm", "ot", "scipy")
INSTALL = "pip install --no-deps torchcfm pot scipy"
CANDIDATES: dict[str, Callable] = {  # digits -> a training with .run(seconds=) and .model
    "flowlib": partial(fl.Training, seed=0),
    "conv net, Muon": partial(PeerTraining, network=ConvNet, rate=8e-3, muon=True),
    "conv net, AdamW": partial(PeerTraining, network=ConvNet, rate=4e-3),
    "residual MLP": partial(PeerTraining, network=ResidualMLP, rate=1e-3),
    "transformer": partial(PeerTraining, network=Transformer, rate=3e-3),
    "torchcfm U-Net": partial(PeerTraining, network=TorchCFMUNet, rate=1e-3),
}
COLUMNS = ("network", "parameters", "set-up s", "steps", "ms a step", "accuracy", "distance", "nearest digit")


def train_by_turns(trainings: dict, seconds: float, slice_seconds: float) -> None:
    """Train each of `trainings` for `seconds` in all: a slice of the first, of the second, ..., again."""
    runs = {name: training.run(seconds=seconds) for name, training in trainings.items()}
    until = 0.0
    while runs:
        until += slice_seconds
        for name, run in list(runs.items()):
            for progress in run:
                if progress.seconds >= until:
                    break
            else:
                del runs[name]
        print(f"\r{min(until, seconds):.0f} of {seconds:g} s each", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def quality(images: torch.Tensor, labels: torch.Tensor, distances: torch.Tensor) -> dict:
    """The numbers that the judge gives to images, and the mean of their distances to the nearest digit."""
    return {
        "accuracy": fl.accuracy(images, labels),
        "distance": fl.frechet_distance(images),
        "nearest": distances.mean().item(),
    }


def samples_quality(model: torch.nn.Module, digits: fl.Digits, samples: int, power: float = POWER) -> dict:
    """Quality of `samples` digits, as many of each class, drawn by plain Euler steps from fixed noise."""
    labels = torch.arange(samples) % 10
    pieces = [
        fl.generate(model, piece, steps=EULER_STEPS, seed=seed, power=power).end
        for seed, piece in enumerate(labels.split(PIECE))
    ]
    images = torch.cat(pieces).clamp(-1, 1)
    return quality(images, labels, fl.nearest_neighbours(images, digits.images)[0])


def real_quality(digits: fl.Digits, samples: int) -> dict:
    """The same numbers for training digits themselves; the nearest is then the nearest *other* one."""
    images, labels = digits.images[:samples], digits.labels[:samples]
    return quality(images, labels, fl.nearest_neighbours(images, digits.images, k=2)[0][:, 1])


def measure(
    names: Sequence[str], digits: fl.Digits, seconds: float, samples: int, slice_seconds: float
) -> list:
    """Train the candidates `names` for `seconds` each, by turns; their rows of the table."""
    trainings, set_up = {}, {}
    for name in names:
        start = time.perf_counter()
        trainings[name] = CANDIDATES[name](digits)
        set_up[name] = time.perf_counter() - start
    train_by_turns(trainings, seconds, slice_seconds)
    return [
        {
            "network": name,
            "budget": seconds,
            "parameters": sum(weight.numel() for weight in training.model.parameters()),
            "buffers": sum(buffer.numel() for buffer in training.model.buffers()),
            "steps": training.step,
            "seconds": training.seconds,
            "ms_a_step": 1000 * training.seconds / training.step,
            "set_up_seconds": set_up[name],
            "loss": training.loss,
            **samples_quality(training.model, digits, samples),
        }
        for name, training in trainings.items()
    ]


def machine() -> dict:
    """What the numbers were measured on, and when."""
    processor = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")  # Linux
    if described.exists():
        lines = [line.split(":", 1) for line in described.read_text().splitlines() if ":" in line]
        processor = next((value.strip() for key, value in lines if key.strip() == "model name"), processor)
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }


def print_table(title: str, rows: list[dict], real: dict) -> None:
    """One budget as a Markdown table, with real digits in its last row."""
    lines = [
        (
            row["network"],
            f"{row['parameters']:,}",
            f"{row['set_up_seconds']:.1f}",
            f"{row['steps']:,}",
            f"{row['ms_a_step']:.1f}",
            f"{row['accuracy']:.3f}",
            f"{row['distance']:.1f}",
            f"{row['nearest']:.2f}",
        )
        for row in rows
    ]
    last = ("real digits", "", "", "", "", f"{real['accuracy']:.3f}", f"{real['distance']:.1f}")
    lines.append((*last, f"{real['nearest']:.2f}"))
    widths = [max(len(line[column]) for line in (COLUMNS, *lines)) for column in range(len(COLUMNS))]
    print(f"\n{title}\n")
    for line in (COLUMNS, ["-" * (width - 1) + ":" for width in widths], *lines):
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths)) + " |")
    sys.stdout.flush()


def present(names: Sequence[str]) -> list[str]:
    """The candidates that can run here; says which is left out."""
    missing = [package for package in NEEDED_BY_TORCHCFM if find_spec(package) is None]
    if "torchcfm U-Net" not in names or not missing:
        return list(names)
    print(f"torchcfm U-Net is left out, without {', '.join(missing)}: {INSTALL}")
    return [name for name in names if name != "torchcfm U-Net"]


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--budgets", type=float, nargs="+", default=[10, 20, 60], help="seconds of training")
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES), choices=CANDIDATES, metavar="NAME")
    parser.add_argument("--samples", type=int, default=2000, help="digits to draw and judge")
    parser.add_argument("--slice", type=float, default=5, help="seconds of one turn")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON file")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="the PNG file")
    chosen = parser.parse_args(arguments)
    if not all(0 < value < float("inf") for value in (*chosen.budgets, chosen.slice)):
        parser.error("--budgets and --slice need seconds above 0")
    if not 65 <= chosen.samples <= 5000:
        parser.error("--samples needs 65 (for a Fréchet distance) to 5000 (there are no more real digits)")
    return chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table for every budget as it is done, and write the files anew after each."""
    chosen = options(arguments)
    names, digits = present(chosen.only), fl.load_digits()
    if not names:
        return
    report = {
        "machine": machine(),
        "samples": chosen.samples,
        "euler_steps": EULER_STEPS,
        "power": POWER,
        "slice": chosen.slice,
        "real": real_quality(digits, chosen.samples),
        "rows": [],
    }
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    for seconds in sorted(set(chosen.budgets)):
        rows = measure(names, digits, seconds, chosen.samples, chosen.slice)
        report["rows"] += rows
        print_table(f"{seconds:g} s of training", rows, report["real"])
        for path in (chosen.results, chosen.picture):
            path.parent.mkdir(parents=True, exist_ok=True)
        chosen.results.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
        chosen.picture.write_bytes(quality_figure(report))


if __name__ == "__main__":
    main()
