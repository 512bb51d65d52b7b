"""`python -m flowlib`: train a flow on real digits and write what it makes, without a browser."""

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from flowlib.checkpoints import save_model
from flowlib.data import load_digits
from flowlib.files import write_atomically
from flowlib.interrupts import defer_interrupt
from flowlib.metrics import FEATURES, accuracy, frechet_distance
from flowlib.models import generate
from flowlib.parallel import join, leave
from flowlib.training import BATCH, Progress, Training

SHOWN = 64  # digits in the player
SPACING = 4  # step k of n ends at the time (k / n)⁴: small steps first gave the best digits
STATES = 5_000  # states of digits kept at once, 1 kB each, which bounds the memory


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        device = _device(options.device)
        number = join(device)
        digits = load_digits(options.data)
        options.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=options.out).close()  # better to fail now than after the training
        training = Training(digits, seed=options.seed, device=device)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    total, unit = _budget(options)
    if number:  # it learns along; process 0 prints, writes, and says when to stop
        with suppress(RuntimeError):  # process 0 says why
            list(_steps(training, options))
        leave()
        return 0
    print(f"Learning from {len(digits):,} digits for {total:g} {unit} on {device}. Ctrl-C stops early.")
    try:
        with defer_interrupt() as stop:  # Ctrl-C ends the training, but waits until the model is written
            try:
                _train(training, options, stop)
            finally:
                _keep(training, options)
    except KeyboardInterrupt:
        if not training.step:
            parser.exit(130, f"{parser.prog}: stopped before the first step\n")
        print(f"Stopped after {training.step:,} steps; what has been learned is kept.", file=sys.stderr)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    leave()
    try:
        report = _write(training, options)
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: stopped while writing; not everything is in {options.out}\n")
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(
        f"The judge reads {report['accuracy']:.1%} of {report['samples']:,} samples as their class; "
        f"Fréchet distance {report['frechet_distance']:.1f}.\n"
        f"Open {options.out / 'trajectories.html'} in a browser to watch them form."
    )
    return 0


def _budget(options: argparse.Namespace) -> tuple[float, str]:
    """How long to train, and in which unit."""
    return (options.train_steps, "steps") if options.train_steps else (options.seconds, "seconds")


def _steps(training: Training, options: argparse.Namespace) -> Iterator[Progress]:
    """The steps of the training, until its budget is used up."""
    steps = options.train_steps
    return training.run(steps) if steps else training.run(seconds=options.seconds)


def _train(training: Training, options: argparse.Namespace, stop: list) -> None:
    """Run the budget down behind a progress bar, until something is in `stop`."""
    total, unit = _budget(options)
    form = f"{{percentage:3.0f}}%|{{bar}}| {{n:.0f}}/{{total:.0f}} {unit}, {{remaining}} left{{postfix}}"
    with tqdm(total=total, bar_format=form, mininterval=0.25) as bar:
        try:
            for progress in _steps(training, options):
                speed = progress.images / progress.seconds
                bar.set_postfix_str(f"loss {progress.loss:.1f}, {speed:,.0f} images/s", refresh=False)
                bar.update(progress.fraction * total - bar.n)
                if stop:
                    break
        except RuntimeError as error:
            bar.write(f"{error}", file=sys.stderr)


def _keep(training: Training, options: argparse.Namespace) -> None:
    """Write the model; where the folder for the results can't take it, to a temporary one, and say so."""
    notes = {"steps": training.step, "seed": options.seed}
    try:
        (options.out / "report.json").unlink(missing_ok=True)  # written last, when all is of one run
        save_model(training.model, options.out / "model.safetensors", **notes)
    except OSError as error:
        rescue = Path(tempfile.mkdtemp(prefix="flowlib-")) / "model.safetensors"
        save_model(training.model, rescue, **notes)
        raise OSError(f"{error}\nThe model is in {rescue} instead.") from error


def _write(training: Training, options: argparse.Namespace) -> dict:
    """Write the samples of the model, their pictures and the report; return the report."""
    from flowlib.animations import trajectory_player
    from flowlib.plots import figure_png, film_strip

    out, model = options.out, training.model
    shown = generate(model, torch.arange(SHOWN) % 10, options.steps, seed=options.seed, power=SPACING)
    captions = [str(k % 10) for k in range(SHOWN)]
    trajectory_player(shown, captions, title="Noise to digits").save(out / "trajectories.html")
    write_atomically(out / "trajectories.png", figure_png(film_strip(shown), dpi=200))

    start = time.perf_counter()
    labels = torch.arange(options.samples) % 10
    first = 1_000_000 * options.seed + 1  # so that no seed shares noise with another
    pieces = [
        generate(model, k, options.steps, seed=first + i, power=SPACING).end
        for i, k in enumerate(labels.split(max(1, STATES // options.steps)))
    ]
    images = torch.cat(pieces).cpu().clamp(-1, 1)
    sampling_seconds = time.perf_counter() - start
    grey = ((images[:, 0] + 1) / 2).numpy()
    packed = io.BytesIO()
    np.savez_compressed(packed, images=grey, labels=labels.numpy())
    write_atomically(out / "samples.npz", packed.getvalue())

    report = {
        "seconds_trained": round(training.seconds, 2),
        "steps": training.step,
        "images_seen": training.step * BATCH,
        "last_loss": training.loss if training.step else None,
        "parameters": sum(p.numel() for p in model.parameters()),
        "solver_steps": options.steps,
        "sampling_seconds": round(sampling_seconds, 2),
        "samples": len(images),
        "accuracy": accuracy(images, labels),
        "frechet_distance": frechet_distance(images),
        "frechet_reference": "10,000 MNIST test digits",
        "peak_memory_mb": round(_peak_memory_mb()),
        "threads": torch.get_num_threads(),
        "device": str(training.device),
        "torch": torch.__version__,
        "seed": options.seed,
        "data": options.data,
    }
    write_atomically(out / "report.json", json.dumps(report, indent=2).encode())
    return report


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):  # one line, without the usage above it
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m flowlib", description=__doc__)
    option = parser.add_argument
    option("--seconds", type=_number(float, above=0), default=60, help="time to train (default %(default)s)")
    option(
        "--train-steps",
        type=_number(int, above=0),
        help="steps to train, in place of --seconds: on one machine, they give the same model every time",
    )
    option("--data", choices=("bundled", "full"), default="bundled", help="5,000 digits, or all 60,000")
    option(
        "--samples",
        type=_number(int, above=FEATURES),
        default=2000,
        help="digits to judge (default %(default)s)",
    )
    option("--steps", type=_number(int, above=0), default=25, help="solver steps (default %(default)s)")
    option("--seed", type=_number(int, above=-1, below=2**32), default=0, help="fixes the noise (default 0)")
    option("--device", choices=("cpu", "cuda", "mps", "auto"), default="cpu", help="where to compute")
    option("--out", type=Path, default=Path("out"), help="folder for the results (default %(default)s)")
    return parser


def _number(kind: type, above: float, below: float = float("inf")):
    """A parser of one number between `above` and `below`, both excluded."""

    def number(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not above < value < below:
            whole = "a whole number" if kind is int else "a number"
            limit = "" if below == float("inf") else f" and below {below}"
            raise argparse.ArgumentTypeError(f"needs {whole} above {above}{limit}, but is {text!r}")
        return value

    return number


def _device(name: str) -> str:
    """The device asked for; the fastest one present for "auto". Raises `ValueError` where it is missing."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, there in present.items() if there)
    if not present[name]:
        raise ValueError(f"this machine has no {name} device; type --device cpu, or --device auto")
    return name


def _peak_memory_mb() -> float:
    """The largest memory that this process has held so far, in 10⁶ bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # macOS counts bytes, Linux KiB


if __name__ == "__main__":
    sys.exit(main())
