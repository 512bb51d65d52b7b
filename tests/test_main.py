import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from safetensors.torch import load_file

from flowlib import animations, command, files, metrics, plots
from flowlib.__main__ import _parser, _Voice, main
from flowlib.checkpoints import load_model, save_model
from flowlib.data import load_digits
from flowlib.models import VelocityNet
from flowlib.parallel import find_device
from flowlib.training import Training

FILES = {"model.safetensors", "trajectories.html", "trajectories.png", "samples.npz", "report.json"}
PIECE = 28  # digits sampled at once; as 10 does not divide it, each piece has labels of its own


class Run:
    """The command, run once with options that are all its own, and what it made on the way."""

    def __init__(self, out):
        self.out, self.made, self.numbers = out, {}, None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "STATES", 3 * PIECE)
            patch.setattr(command, "load_digits", lambda source: load_digits())  # 5,000 for "full", too
            self.keep(patch, command, "Training")
            self.keep(patch, animations, "trajectory_player")
            self.keep(patch, plots, "film_strip")
            start, self.memory = time.perf_counter(), command._peak_memory_mb()
            options = ["--train-steps", "4", "--samples", "85", "--steps", "3", "--seed", "5"]
            options += ["--data", "full"]
            assert main([*options, "--out", str(out)]) == 0
            self.seconds = time.perf_counter() - start
        self.training = self.made["Training"][1]
        self.report = json.loads((out / "report.json").read_text("utf-8"))
        self.model = load_model(out / "model.safetensors")
        with np.load(out / "samples.npz") as samples:
            self.grey, self.labels = samples["images"], torch.from_numpy(samples["labels"])
        self.images = torch.from_numpy(self.grey)[:, None] * 2 - 1

    def keep(self, patch, module, name):
        """Let a function of a module do what it does, and keep its arguments and result."""
        function = getattr(module, name)

        def kept(*arguments, **options):
            result = function(*arguments, **options)
            self.made[name] = arguments, result
            return result

        patch.setattr(module, name, kept)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("results") / "new folder")


@torch.no_grad()
def by_euler(model, labels, seed, steps=3):
    """The states of x' = v(x, t) from the noise of a seed, in steps that end at (k / steps)⁴."""
    x = torch.randn(len(labels), 1, 16, 16, generator=torch.Generator().manual_seed(seed))
    states, ends = [x], [(k / steps) ** 4 for k in range(steps + 1)]
    for t, end in pairwise(ends):
        x = x + (end - t) * model(x, torch.full((len(x),), t), label=labels)
        states.append(x)
    return torch.stack(states)


def test_the_command_writes_everything_it_promises(done):
    assert {file.name for file in done.out.iterdir()} == FILES


def test_the_samples_are_grey_and_each_class_has_as_many(done):
    assert done.grey.shape == (85, 16, 16)
    assert done.grey.dtype == np.float32
    assert 0 == done.grey.min() < done.grey.max() <= 1
    assert np.bincount(done.labels).tolist() == [9] * 5 + [8] * 5


def test_no_two_samples_are_the_same_whatever_the_pieces(done):
    assert len({image.tobytes() for image in done.grey}) == 85
    flat = done.images.flatten(1)
    assert torch.cdist(flat, flat).add(99 * torch.eye(85)).min() > 0.1


def test_each_piece_comes_from_noise_of_its_own_and_the_steps_asked_for(done):
    for i, labels in enumerate(done.labels.split(PIECE)):
        end = by_euler(done.model, labels, 5_000_001 + i)[-1].clamp(-1, 1)
        torch.testing.assert_close(done.images[PIECE * i :][: len(labels)], end, atol=1e-4, rtol=0)


def test_a_sample_shows_the_class_that_it_is_labelled_with(done):
    """Each mean image of a class is nearest to that of the same class of real digits."""
    digits = load_digits()
    real = torch.stack([digits.only(k).images.mean(0) for k in range(10)]).flatten(1)
    drawn = torch.stack([done.images[done.labels == k].mean(0) for k in range(10)]).flatten(1)
    assert torch.cdist(drawn, real).argmin(1).tolist() == list(range(10))


def test_player_and_picture_show_64_digits_of_all_classes_from_the_noise_of_the_seed(done):
    (shown, captions), player = done.made["trajectory_player"]
    labels = torch.arange(64) % 10
    torch.testing.assert_close(shown.xs, by_euler(done.model, labels, 5), atol=1e-4, rtol=0)
    assert captions == [f"{k}" for k in labels]
    assert done.made["film_strip"][0] == (shown,)
    assert player.html in (done.out / "trajectories.html").read_text("utf-8")
    with Image.open(done.out / "trajectories.png") as picture:
        assert picture.width > 1000 and np.asarray(picture.convert("L")).std() > 10


def test_the_model_is_what_so_many_steps_from_the_seed_give_and_its_average(done):
    alone = Training(load_digits(), seed=5)
    *_, last = alone.run(steps=4)
    for name, weight in alone.model.state_dict().items():
        assert torch.equal(done.model.state_dict()[name], weight), name
    assert done.model.notes == {"steps": 4, "seed": 5}
    assert done.report["last_loss"] == pytest.approx(last.loss, rel=1e-6)


def by_the_judge(images, labels):
    """Accuracy and Fréchet distance of images in [-1, 1], by SciPy's root of a matrix."""
    judge = metrics.load_judge()
    read = judge(images).argmax(1)
    features = judge.features(images).double().numpy()
    mean, covariance = features.mean(0), np.cov(features, rowvar=False)
    real_mean, real_covariance = judge.reference_mean.numpy(), judge.reference_covariance.numpy()
    root = scipy.linalg.sqrtm(covariance @ real_covariance).real
    distance = ((mean - real_mean) ** 2).sum() + np.trace(covariance + real_covariance - 2 * root)
    return (read == labels).double().mean().item(), distance


def test_every_number_of_the_report_comes_from_what_was_written(done):
    weights = load_file(done.out / "model.safetensors")
    learned = {name for name, _ in VelocityNet().named_parameters()}
    share, distance = by_the_judge(done.images, done.labels)
    report, approx = done.report.copy(), pytest.approx
    assert 0 < report.pop("sampling_seconds") <= done.seconds
    assert 0 < report["seconds_trained"] <= done.seconds
    assert report.pop("seconds_trained") == approx(done.training.seconds, abs=0.01)
    assert done.memory - 1 < report.pop("peak_memory_mb") < command._peak_memory_mb() + 1
    assert report == {
        "steps": done.model.notes["steps"],
        "images_seen": 4 * 96,
        "last_loss": done.training.loss,
        "parameters": sum(weights[name].numel() for name in learned),
        "solver_steps": done.made["trajectory_player"][0][0].xs.shape[0] - 1,
        "samples": len(done.grey),
        "accuracy": approx(share),
        "frechet_distance": approx(distance, rel=1e-3),
        "frechet_reference": "10,000 MNIST test digits",
        "threads": torch.get_num_threads(),
        "device": str(next(done.training.model.parameters()).device),
        "torch": torch.__version__,
        "seed": done.model.notes["seed"],
        "data": "full",
    }


@pytest.mark.parametrize(("platform", "peak"), [("linux", 2_000_000), ("darwin", 2_048_000_000)])
def test_the_peak_of_memory_is_in_millions_of_bytes(monkeypatch, platform, peak):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda who: resource.struct_rusage([0, 0, peak, *[0] * 13]))
    assert command._peak_memory_mb() == 2048


def test_without_options_it_learns_a_minute_and_judges_2000_digits():
    assert vars(_parser().parse_args([])) == {
        "seconds": 60, "train_steps": None, "data": "bundled", "samples": 2000, "steps": 25, "seed": 0,
        "device": "cpu", "out": Path("out"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("option", "reached"),
    [
        (["--data", "full"], "load_digits('full')"),
        (["--data", "bundled"], "load_digits('bundled')"),
        (["--device", "mps"], "find_device('mps')"),
        (["--seed", "9"], "Training(seed=9, device='the one found')"),
        (["--seconds", "7.5"], "run(seconds=7.5)"),
        (["--train-steps", "8", "--seconds", "7"], "run(steps=8)"),
        (["--out", "~/results"], f"sole_use({Path('/home/me/results')!r})"),
    ],
)
def test_an_option_reaches_whom_it_is_for(option, reached, monkeypatch, capsys):
    """Each of those that take one tells what it was given."""
    said = []

    def telling(name, result):
        def tell(*given, **named):
            given = [repr(each) for each in given if each not in ("the digits", "the training")]
            said.append(f"{name}({', '.join([*given, *(f'{n}={v!r}' for n, v in named.items())])})")
            if isinstance(result, Exception):
                raise result
            return result

        return tell

    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, "/home/me")
    training = SimpleNamespace(step=0, labels="", device="", run=telling("run", OSError("enough")))
    monkeypatch.setattr(command, "load_digits", telling("load_digits", "the digits"))
    monkeypatch.setattr(command, "find_device", telling("find_device", "the one found"))
    monkeypatch.setattr(command, "Training", telling("Training", training))
    monkeypatch.setattr(command, "sole_use", telling("sole_use", nullcontext()))
    assert main(option) == 1
    assert "enough" in capsys.readouterr().err
    assert reached in said


@pytest.mark.parametrize(
    ("cuda", "mps", "fastest"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_fastest_device_there_is_is_taken_and_one_that_is_not_refused(monkeypatch, cuda, mps, fastest):
    present = {"cuda": cuda, "mps": mps, "cpu": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert find_device("auto") == fastest
    for name, there in present.items():
        if there:
            assert find_device(name) == find_device(torch.device(name)) == name
        else:
            with pytest.raises(ValueError, match=f"no {name}:1 device; choose cpu, or auto"):
                find_device(f"{name}:1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seconds", "0"], "needs a finite number above 0, but is '0'"),
        (["--seconds", "nan"], "needs a finite number above 0"),
        (["--seconds", "inf"], "needs a finite number above 0, but is 'inf'"),
        (["--train-steps", "0"], "needs a whole number above 0"),
        (["--steps", "2.5"], "needs a whole number above 0"),
        (["--samples", str(metrics.FEATURES)], "above 64"),
        (["--seed", "-1"], "above -1 and below"),
        (["--seed", str(2**32)], "above -1 and below"),
        (["--data", "mnist"], "invalid choice"),
        (
            ["--device", "cuda"] if not torch.cuda.is_available() else ["--device", "mps"],
            "no (cuda|mps) device",
        ),
    ],
)
def test_a_bad_argument_gets_one_clear_line_and_exit_code_2(arguments, words, capsys, tmp_path):
    try:
        code = main([*arguments, "--out", str(tmp_path)])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    error = capsys.readouterr().err
    assert re.search(words, error)
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("options", [["--help"], ["--seconds", "inf"]])
def test_help_and_a_bad_option_do_not_wait_for_pytorch(options):
    called = [sys.executable, "-X", "importtime", "-m", "flowlib", *options]
    loaded = subprocess.run(called, capture_output=True, text=True).stderr
    assert re.search(r"\| +argparse$", loaded, re.MULTILINE)
    assert not re.search(r"\| +(torch|numpy|tqdm)$", loaded, re.MULTILINE)


def refused(capsys, out):
    """What is said where the folder for the results can't be had."""
    assert main(["--out", str(out)]) == 1
    return capsys.readouterr().err


def test_an_output_folder_that_is_a_file_or_in_one_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert f"{tmp_path / 'out'} is no folder to write to (a file has its name)" in refused(
        capsys, tmp_path / "out"
    )
    assert re.search(r"out/sub is no folder .*Not a directory", refused(capsys, tmp_path / "out" / "sub"))


def test_an_output_folder_that_can_not_be_written_to_is_named_not_a_draft_in_it(
    tmp_path, capsys, monkeypatch
):
    def forbidden(dir):
        raise PermissionError(13, "Permission denied", str(dir / "tmpabc"))

    monkeypatch.setattr(files.tempfile, "TemporaryFile", forbidden)
    said = refused(capsys, tmp_path)
    assert f"{tmp_path} is no folder to write to (Permission denied)" in said and "tmpabc" not in said


def test_of_two_commands_with_one_folder_the_second_is_refused(tmp_path, capsys):
    with files.sole_use(tmp_path):
        assert f"another process writes to {tmp_path}; wait for its end" in refused(capsys, tmp_path)


def test_words_that_nobody_hears_are_left_out(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as closed:
        voice = _Voice(closed)
        for _ in range(3):
            print("anyone?", file=voice, flush=True)
    monkeypatch.setattr("os.devnull", str(tmp_path / "heard"))
    silent = _Voice(None)
    print("anyone?", file=silent)
    silent.close()
    assert (tmp_path / "heard").read_text() == "anyone?\n"


def test_an_old_code_page_gets_a_question_mark_for_what_it_lacks(tmp_path):
    with open(tmp_path / "said", "w", encoding="cp1252") as stream:
        print("✓ Fréchet", file=_Voice(stream))
    assert (tmp_path / "said").read_bytes().rstrip() == b"? Fr\xe9chet"


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["the pipe", "stderr", "nothing, but ASCII"])
def test_whoever_listens_everything_is_written(closed, tmp_path):
    line = f"'{sys.executable}' -m flowlib --train-steps 2 --samples 65 --steps 1 --out '{tmp_path}'"
    line += {"the pipe": " | head -n 1", "stderr": " 2>&-"}.get(closed, "")
    settings = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, env=settings)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
    assert done.stdout.startswith(b"Learning from 5,000 digits for 2 steps on cpu")
    assert {file.name for file in tmp_path.iterdir()} == FILES


def started(out, *options):
    """A command that has begun to learn, for 600 seconds."""
    called = [sys.executable, "-m", "flowlib", "--seconds", "600", "--samples", "70", "--steps", "2"]
    process = subprocess.Popen([*called, *options, "--out", str(out)], stderr=subprocess.PIPE, text=True)
    shown = ""
    while "images/s" not in shown:  # the bar of a training that has begun
        piece = process.stderr.read(20)
        assert piece, f"it ended before its first step: {shown}"
        shown += piece
    return process


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console")
def test_ctrl_c_in_the_middle_of_training_still_writes_everything(tmp_path):
    process = started(tmp_path)
    process.send_signal(signal.SIGINT)
    try:
        _, rest = process.communicate(timeout=900)
    finally:
        process.kill()
    assert process.returncode == 0, rest
    assert {file.name for file in tmp_path.iterdir()} == FILES
    assert json.loads((tmp_path / "report.json").read_text())["seconds_trained"] < 600


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a word to it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_process_that_is_told_to_end_writes_its_model_and_ends_by_the_signal(tmp_path, name):
    process = started(tmp_path)
    process.stderr.close()  # as a terminal that is closed
    process.send_signal(getattr(signal, name))
    try:
        process.wait(timeout=900)
    finally:
        process.kill()
    assert process.returncode == -getattr(signal, name)
    assert load_model(tmp_path / "model.safetensors").notes["steps"] > 0
    assert {file.name for file in tmp_path.iterdir()} == {"model.safetensors"}


def test_ctrl_c_while_writing_leaves_no_report_of_another_run(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    (tmp_path / "report.json").write_text("of yesterday")
    monkeypatch.setattr(command, "generate", interrupted)
    assert main(["--seconds", "0.2", "--out", str(tmp_path)]) == 130
    assert f"stopped; {tmp_path} holds what was written until then" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """The command in a process of its own: its options, its folder, what it said."""
    out = tmp_path_factory.mktemp("process")
    options = ["--train-steps", "2", "--samples", "65", "--steps", "1", "--seed", "7", "--out"]
    called = [sys.executable, "-X", "utf8", "-m", "flowlib", *options, str(out)]
    return options, out, subprocess.run(called, check=True, capture_output=True, encoding="utf-8")


def test_one_seed_and_number_of_steps_give_one_file_on_every_run_and_through_the_api(process, tmp_path):
    options, out, _ = process
    assert main([*options, str(tmp_path)]) == 0
    training = Training(load_digits(), seed=7)
    assert [progress.step for progress in training.run(steps=2)] == [1, 2]
    save_model(training.model, tmp_path / "api.safetensors", steps=2, seed=7)
    first, second, third = map(
        load_file, (out / "model.safetensors", tmp_path / "model.safetensors", tmp_path / "api.safetensors")
    )
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert [name for name in first if not torch.equal(first[name], third[name])] == []
    for file in ("model.safetensors", "samples.npz"):
        assert (out / file).read_bytes() == (tmp_path / file).read_bytes()


def test_what_it_does_is_told_as_it_does_it(process):
    _, out, said = process
    learning, judging, verdict, where = said.stdout.splitlines()
    assert learning == "Learning from 5,000 digits for 2 steps on cpu. Ctrl-C stops early."
    assert judging == "Judging 65 digits."
    report = json.loads((out / "report.json").read_text("utf-8"))
    share, distance = f"{report['accuracy']:.1%}", f"{report['frechet_distance']:.1f}"
    assert verdict == f"The judge reads {share} of 65 samples as their class; Fréchet distance {distance}."
    assert where == f"Open {out / 'trajectories.html'} in a browser to watch them form."
    assert re.search(
        rf"100%.* 2/2 steps.*loss {report['last_loss']:.1f}, .*Sampling: 100%.* 65/65", said.stderr, re.DOTALL
    )
