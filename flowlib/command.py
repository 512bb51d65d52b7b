"""What `python -m flowlib` does once its options are read: learn, sample, judge, write."""

import argparse
import io
import json
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from flowlib.checkpoints import save_model
from flowlib.data import load_digits
from flowlib.files import sole_use, write_atomically
from flowlib.interrupts import ENDS, defer_interrupt
from flowlib.metrics import accuracy, frechet_distance
from flowlib.models import generate
from flowlib.parallel import find_device, join, leave
from flowlib.training import BATCH, Training

SHOWN = 64  # digits in the player
SPACING = 4  # step k of n ends at the time (k / n)⁴: small steps first gave the best digits
STATES = 5_000  # states of digits kept at once, 1 kB each, which bounds the memory


def run(options: argparse.Namespace) -> None:
    """Do what the options ask for. Raises `ValueError` and `OSError` in words for whoever typed them."""
    device = find_device(options.device)
    number = join(device)
    digits = load_digits(options.data)
    budget = {"steps": options.train_steps} if options.train_steps else {"seconds": options.seconds}
    with nullcontext() if number else sole_use(options.out):  # better to fail now than after the training
        training = Training(digits, seed=options.seed, device=device)
        if number:  # it learns along; process 0 prints, writes, and says when to stop
            with suppress(RuntimeError):  # process 0 says why
                list(training.run(**budget))
            leave()
            return
        _learn(training, budget, options)
        report = _write(training, options)
    print(
        f"The judge reads {report['accuracy']:.1%} of {report['samples']:,} samples as their class; "
        f"Fréchet distance {report['frechet_distance']:.1f}.\n"
        f"Open {options.out / 'trajectories.html'} in a browser to watch them form."
    )


def _learn(training: Training, budget: dict[str, Any], options: argparse.Namespace) -> None:
    """Run the budget down behind a progress bar, until a signal stops it, and write the model."""
    [(unit, total)] = budget.items()
    given = f"{len(training.labels):,} digits for {total:g} {unit} on {training.device}"
    print(f"Learning from {given}. Ctrl-C stops early.")
    form = f"{{percentage:3.0f}}%|{{bar}}| {{n:.0f}}/{{total:.0f}} {unit}, {{remaining}} left{{postfix}}"
    with defer_interrupt(*ENDS) as stop:
        try:
            with tqdm(total=total, bar_format=form, mininterval=0.25) as bar:
                for progress in training.run(**budget):
                    speed = progress.images / progress.seconds
                    bar.set_postfix_str(f"loss {progress.loss:.1f}, {speed:,.0f} images/s", refresh=False)
                    bar.update(progress.fraction * total - bar.n)
                    if stop:
                        break
        except RuntimeError as error:
            if not training.step:
                raise ValueError(f"{error}") from error
            print(f"{error}", file=sys.stderr)
        finally:
            if training.step:
                _keep(training, options)
        leave()
        if stop and training.step:
            print(f"Stopped after {training.step:,} steps; what has been learned is kept.", file=sys.stderr)
            if {number for number, _ in stop}.isdisjoint(ENDS):  # Ctrl-C goes on to the samples
                stop.clear()


def _keep(training: Training, options: argparse.Namespace) -> None:
    """Write the model; where the folder for the results can't take it, to a temporary one, and say so."""
    notes = {"steps": training.step, "seed": options.seed}
    try:
        (options.out / "report.json").unlink(missing_ok=True)  # written last, when all is of one run
        save_model(training.model, options.out / "model.safetensors", **notes)
    except OSError as error:
        try:
            rescue = Path(tempfile.mkdtemp(prefix="flowlib-")) / "model.safetensors"
            save_model(training.model, rescue, **notes)
        except OSError as nor:
            raise OSError(f"{error}\nThe model is lost, since a temporary folder failed, too: {nor}") from nor
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
    pieces = []
    with tqdm(total=len(labels), desc="Sampling", unit=" digits", mininterval=0.25) as bar:
        for i, k in enumerate(labels.split(max(1, STATES // options.steps))):
            pieces.append(generate(model, k, options.steps, seed=first + i, power=SPACING).end)
            bar.update(len(k))
    images = torch.cat(pieces).cpu().clamp(-1, 1)
    sampling_seconds = time.perf_counter() - start
    grey = ((images[:, 0] + 1) / 2).numpy()
    packed = io.BytesIO()
    np.savez_compressed(packed, images=grey, labels=labels.numpy())
    write_atomically(out / "samples.npz", packed.getvalue())

    print(f"Judging {len(images):,} digits.")
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


def _peak_memory_mb() -> float:
    """The largest memory that this process has held so far, in 10⁶ bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # macOS counts bytes, Linux KiB
