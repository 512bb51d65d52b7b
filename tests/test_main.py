import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from flowlib import __main__ as command
from flowlib.__main__ import main
from flowlib.checkpoints import load_model, save_model
from flowlib.data import load_digits
from flowlib.metrics import accuracy, frechet_distance
from flowlib.models import generate
from flowlib.training import Training

FILES = {"model.safetensors", "trajectories.html", "trajectories.png", "samples.npz", "report.json"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "new folder"
    assert (
        main(["--seconds", "1", "--samples", "70", "--steps", "3", "--seed", "5", "--out", str(folder)]) == 0
    )
    return folder


def test_the_command_writes_everything_it_promises(out):
    assert {file.name for file in out.iterdir()} == FILES


def test_the_samples_are_the_models_and_in_equal_numbers(out):
    with np.load(out / "samples.npz") as samples:
        images, labels = samples["images"], samples["labels"]
    assert images.shape == (70, 16, 16)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert np.bincount(labels).tolist() == [7] * 10
    again = generate(
        load_model(out / "model.safetensors"), torch.from_numpy(labels), steps=3, seed=5_000_001, power=4
    ).end
    np.testing.assert_allclose(images, (again[:, 0].clamp(-1, 1) + 1).numpy() / 2, atol=1e-5)


def test_the_report_says_what_the_samples_say(out):
    report = json.loads((out / "report.json").read_text())
    with np.load(out / "samples.npz") as samples:
        images, labels = (
            torch.from_numpy(samples["images"])[:, None] * 2 - 1,
            torch.from_numpy(samples["labels"]),
        )
    assert report["accuracy"] == pytest.approx(accuracy(images, labels))
    assert report["frechet_distance"] == pytest.approx(frechet_distance(images), rel=1e-3)
    assert report["samples"] == 70
    assert report["seed"] == 5
    assert report["images_seen"] == report["steps"] * 96
    assert report["seconds_trained"] >= 1
    assert 50 < report["peak_memory_mb"] < 5000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seconds", "0"], "needs a number above 0, but is '0'"),
        (["--seconds", "nan"], "needs a number above 0"),
        (["--steps", "2.5"], "needs a whole number above 0"),
        (["--samples", "64"], "above 64"),
        (["--seed", "-1"], "above -1 and below"),
        (["--data", "mnist"], "invalid choice"),
        (
            ["--device", "cuda"] if not torch.cuda.is_available() else ["--device", "mps"],
            "no (cuda|mps) device",
        ),
    ],
)
def test_a_bad_argument_gets_one_clear_line_and_exit_code_2(arguments, words, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--out", str(tmp_path)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert re.search(words, error)
    assert len(error.splitlines()) == 1


def test_an_output_folder_that_is_a_file_gets_exit_code_2(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path / "out")])
    assert stop.value.code == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console")
def test_ctrl_c_in_the_middle_of_training_still_writes_everything(tmp_path):
    command = [sys.executable, "-m", "flowlib", "--seconds", "600", "--samples", "70", "--steps", "2"]
    process = subprocess.Popen([*command, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    shown = ""
    while "images/s" not in shown:  # the bar of a training that has begun
        piece = process.stderr.read(20)
        assert piece, f"it ended before its first step: {shown}"
        shown += piece
    process.send_signal(signal.SIGINT)
    try:
        _, rest = process.communicate(timeout=900)
    finally:
        process.kill()
    assert process.returncode == 0, rest
    assert {file.name for file in tmp_path.iterdir()} == FILES
    assert json.loads((tmp_path / "report.json").read_text())["seconds_trained"] < 600


def test_the_average_of_the_weights_is_what_is_written(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(command, "Training", lambda *a, **k: made.append(Training(*a, **k)) or made[-1])
    main(["--seconds", "0.5", "--samples", "65", "--steps", "1", "--out", str(tmp_path)])
    written = load_model(tmp_path / "model.safetensors").state_dict()
    assert all(torch.equal(written[name], weight) for name, weight in made[0].model.state_dict().items())


def test_ctrl_c_while_writing_leaves_no_report_of_another_run(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    (tmp_path / "report.json").write_text("of yesterday")
    monkeypatch.setattr(command, "generate", interrupted)
    with pytest.raises(SystemExit) as stop:
        main(["--seconds", "0.2", "--out", str(tmp_path)])
    assert stop.value.code == 130
    assert "stopped while writing" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_one_seed_and_number_of_steps_give_one_file_on_every_run_and_through_the_api(tmp_path):
    arguments = ["--train-steps", "3", "--samples", "65", "--steps", "1", "--seed", "7", "--out"]
    subprocess.run([sys.executable, "-m", "flowlib", *arguments, str(tmp_path / "1")], check=True)
    assert main([*arguments, str(tmp_path / "2")]) == 0
    training = Training(load_digits(), seed=7)
    assert [progress.step for progress in training.run(steps=3)] == [1, 2, 3]
    save_model(training.model, tmp_path / "3" / "model.safetensors", steps=3, seed=7)
    first, second, third = (load_file(tmp_path / run / "model.safetensors") for run in "123")
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert [name for name in first if not torch.equal(first[name], third[name])] == []
    for file in ("model.safetensors", "samples.npz"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()
