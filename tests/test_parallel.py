"""Two real processes, as torchrun starts them, against one."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from flowlib.checkpoints import load_model
from flowlib.data import Digits, load_digits
from flowlib.training import Training

pytestmark = pytest.mark.slow
SCRIPT = """
import json, sys
import torch
from pathlib import Path
from safetensors.torch import save_file
from flowlib import training as module
from flowlib.data import Digits, load_digits
from flowlib.parallel import join, leave

out, rank = Path(sys.argv[1]), join()
everything, facts = load_digits(), {}
digits = Digits(everything.images[:100], everything.labels[:100])

training = module.Training(digits, seed=3)
list(training.run(steps=4))
facts["loss"] = training.loss
save_file({k: v.contiguous() for k, v in training.model.state_dict().items()}, out / f"{rank}.safetensors")

training = module.Training(digits)
for progress in training.run(steps=10):
    if progress.step == 3 - rank:  # process 1 would stop earlier, but does not lead
        if rank == 0: break
facts["steps when 0 left after 3"] = training.step

training = module.Training(digits)
list(training.run(seconds=0.3 if rank == 0 else 1000))
facts["steps in the seconds of 0"] = training.step

training = module.Training(digits)
list(training.run(steps=1))
if rank == 1:
    finite = module.cfm_loss
    module.cfm_loss = lambda *batch: finite(*batch) * torch.nan
try:
    list(training.run(steps=3))
except RuntimeError as error:
    facts["error"] = str(error)[:25]
facts["steps before the error"] = training.step

module.BATCH = 63
try:
    list(module.Training(digits).run(steps=1))
except ValueError as error:
    facts["63 digits"] = str(error)
(out / f"{rank}.json").write_text(json.dumps(facts))
leave()
"""


LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def torchrun(*command: str) -> subprocess.CompletedProcess:
    done = subprocess.run([*LAUNCH, *command], capture_output=True, text=True, timeout=900, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    out = tmp_path_factory.mktemp("two")
    (out / "script.py").write_text(SCRIPT)
    torchrun(str(out / "script.py"), str(out))
    facts = [json.loads((out / f"{rank}.json").read_text()) for rank in (0, 1)]
    return facts, [load_file(out / f"{rank}.safetensors") for rank in (0, 1)]


def test_two_processes_learn_what_one_learns_from_the_same_batches(two):
    (first, second), weights = two
    everything = load_digits()
    alone = Training(Digits(everything.images[:100], everything.labels[:100]), seed=3)
    list(alone.run(steps=4))
    assert first["loss"] == second["loss"] == pytest.approx(alone.loss, rel=1e-5)
    begun = Training(Digits(everything.images[:100], everything.labels[:100]), seed=3).model
    for (name, expected), start in zip(alone.model.state_dict().items(), begun.state_dict().values()):
        assert torch.equal(weights[0][name], weights[1][name])
        # Adam divides by the size of a gradient, so a weight whose gradient is rounding may go either way
        assert (weights[0][name] - expected).norm() <= 3e-3 * (expected - start).norm(), name


def test_all_stop_when_process_0_stops(two):
    (first, second), _ = two
    assert first["steps when 0 left after 3"] == second["steps when 0 left after 3"] == 3
    assert first["steps in the seconds of 0"] == second["steps in the seconds of 0"] > 0


def test_a_loss_that_is_not_finite_in_one_process_stops_all_before_it_spoils_the_model(two):
    (first, second), _ = two
    assert first["error"] == second["error"] == "the loss is nan after 1 s"
    assert first["steps before the error"] == second["steps before the error"] == 1


def test_a_batch_that_does_not_divide_is_refused(two):
    (first, second), _ = two
    assert "a batch of 63 needs equal shares, but there are 2 processes" in first["63 digits"]
    assert first["63 digits"] == second["63 digits"]


def test_the_command_prints_and_writes_once(tmp_path):
    options = ["--train-steps", "2", "--samples", "65", "--steps", "1", "--out", str(tmp_path)]
    done = torchrun("-m", "flowlib", *options)
    assert done.stdout.count("Learning from") == done.stdout.count("The judge reads") == 1
    assert json.loads((tmp_path / "report.json").read_text())["steps"] == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a word to it")
def test_two_processes_that_are_told_to_end_leave_the_model_of_what_they_learned(tmp_path):
    command = [*LAUNCH, "-m", "flowlib", "--seconds", "600", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    shown = ""
    while "images/s" not in shown:  # they have begun
        piece = process.stderr.read(20)
        assert piece, f"they ended before their first step: {shown}"
        shown += piece
    process.terminate()
    _, said = process.communicate(timeout=900)
    assert load_model(tmp_path / "model.safetensors").notes["steps"] > 0
    assert "Stopped after" in said and "Connection closed" not in said
