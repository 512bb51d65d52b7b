"""Nothing is lost: Ctrl-C at any line, a process killed while it writes, a disk that is full."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

import flowlib
from flowlib import checkpoints, command, files, interrupts, metrics, training
from flowlib.__main__ import main
from flowlib.checkpoints import load_model, load_training, save_model, save_training
from flowlib.data import Digits
from flowlib.models import VelocityNet, generate
from flowlib.training import Training

PACKAGE = str(Path(flowlib.__file__).parent)
tiny = partial(VelocityNet, fine=8, coarse=8, context=8)
few_digits = pytest.fixture(lambda digits: Digits(digits.images[:70], digits.labels[:70]))


class Line:
    """A trace of the lines of some files that sends Ctrl-C when the line number `at` of them is reached."""

    def __init__(self, at=None, where=(PACKAGE,)):
        self.at, self.where, self.count = at, where, 0

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.call)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)

    def call(self, frame, event, argument):
        return self.line if frame.f_code.co_filename.startswith(self.where) else None

    def line(self, frame, event, argument):
        if event == "line":
            self.count += 1
            if self.count - 1 == self.at:
                signal.raise_signal(signal.SIGINT)
        return self.line


def interrupted(action, at, where):
    """Do `action` with a Ctrl-C at one line; whether it was stopped by it."""
    try:
        with Line(at, where):
            action()
    except KeyboardInterrupt:
        return True
    finally:  # a Ctrl-C just where a with block ends can make Python skip its exit, torch.no_grad's for one
        assert torch.is_grad_enabled()
    return False


def lines(action, where=(PACKAGE,), most=None):
    """The numbers of all lines that `action` runs in these files; at most `most` of them, evenly spread."""
    with Line(where=where) as trace:
        action()
    assert trace.count
    return range(0, trace.count, max(1, trace.count // (most or trace.count)))


def state(a_training):
    """All that decides how a training goes on."""
    parts = {"network": a_training.network.state_dict(), "model": a_training.model.state_dict()}
    parts |= a_training.optimizer.state_dict()["state"]
    numbers = {"step": a_training.step, "loss": a_training.loss}
    random = {"generator": a_training.generator.get_state()}
    return {f"{part}.{name}": value.clone() for part in parts for name, value in parts[part].items()} | {
        name: torch.as_tensor(value) for name, value in (numbers | random).items()
    }


def assert_same(left, right):
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


def finish(a_training):
    return list(a_training.run(steps=3))


@pytest.fixture
def begun(few_digits, tmp_path):
    """A checkpoint of two steps, and the state that three steps in one go lead to."""
    through = Training(few_digits, tiny(), seed=3)
    for progress in through.run(steps=3):
        if progress.step == 2:
            save_training(through, tmp_path / "begun")
    return tmp_path / "begun", state(through)


@pytest.mark.slow
def test_ctrl_c_at_any_line_of_training_loses_no_step_and_changes_nothing(begun, few_digits):
    path, expected = begun
    where = (training.__file__, interrupts.__file__, contextlib.__file__)
    places = lines(partial(finish, load_training(path, few_digits)), where)
    stops = 0
    for at in places:
        stopped = load_training(path, few_digits)
        stops += interrupted(partial(finish, stopped), at, where)
        assert all(weight.isfinite().all() for weight in stopped.model.state_dict().values())
        assert generate(stopped.model, torch.tensor([3]), steps=1).end.isfinite().all()
        list(stopped.run(steps=3))
        assert_same(state(stopped), expected)
    assert stops > 0.9 * len(places)


def test_ctrl_c_while_a_training_is_made_leaves_the_readers_random_numbers(few_digits, monkeypatch):
    monkeypatch.setattr("flowlib.gaussians.ClassGaussians.fit", lambda *_: None)
    before = torch.get_rng_state()
    for at in lines(lambda: Training(few_digits), most=40):
        interrupted(lambda: Training(few_digits), at, (PACKAGE,))
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("where", [(files.__file__,), (PACKAGE,)], ids=["writing", "anywhere"])
def test_ctrl_c_while_a_checkpoint_is_written_leaves_the_old_or_the_new_one(begun, few_digits, where):
    path, _ = begun
    path = path.parent / "folder" / "checkpoint"
    first, second = Training(few_digits, tiny(), seed=1), Training(few_digits, tiny(), seed=2)
    save_training(second, path)
    new = path.read_bytes()
    save_training(first, path)
    old = path.read_bytes()
    for at in lines(lambda: save_training(first, path), where, most=40):
        path.write_bytes(old)
        interrupted(lambda: save_training(second, path), at, where)
        assert path.read_bytes() in (old, new)
        assert list(path.parent.iterdir()) == [path]


def test_ctrl_c_while_sampling_or_judging_changes_neither_model_nor_judge(digits):
    model, labels = tiny().eval(), torch.arange(3)

    def work():
        metrics.load_judge.cache_clear()
        return generate(model, labels, steps=2).end, metrics.accuracy(digits.images[:9], digits.labels[:9])

    before, (images, share) = {k: v.clone() for k, v in model.state_dict().items()}, work()
    for at in lines(work, most=40):
        assert interrupted(work, at, (PACKAGE,))
        assert_same(model.state_dict(), before)
        again = generate(model, labels, steps=2).end, metrics.accuracy(digits.images[:9], digits.labels[:9])
        assert torch.equal(again[0], images) and again[1] == share


@pytest.fixture
def tiny_command(few_digits, monkeypatch):
    """The command line with few digits and a tiny network, and the trainings that it makes."""
    made = []
    monkeypatch.setattr(training, "VelocityNet", tiny)
    monkeypatch.setattr("flowlib.gaussians.ClassGaussians.fit", lambda *_: None)
    monkeypatch.setattr(command, "load_digits", lambda _: few_digits)
    monkeypatch.setattr(command, "Training", lambda *a, **k: made.append(Training(*a, **k)) or made[-1])
    monkeypatch.setattr("flowlib.plots.figure_png", lambda ax, **_: plt.close(ax.figure) or b"")
    return made


@pytest.mark.slow
def test_ctrl_c_at_any_line_of_the_command_keeps_what_was_learned(tiny_command, tmp_path):
    def run():
        main([*["--train-steps", "3", "--samples", "65", "--steps", "1", "--out"], str(tmp_path)])

    kept = 0
    where = (command.__file__,)
    for at in lines(run, where, most=80):
        for file in tmp_path.iterdir():
            file.unlink()
        tiny_command.clear()
        interrupted(run, at, where)
        if tiny_command and tiny_command[0].step:
            kept += 1
            assert_same(
                load_model(tmp_path / "model.safetensors").state_dict(), tiny_command[0].model.state_dict()
            )
    assert kept > 10


@pytest.fixture
def after_two_steps(monkeypatch):
    """Make the training of the command receive a signal once it has taken two steps."""

    def receive(number):
        def run(self, steps):
            for progress in whole(self, steps):
                if progress.step == 2:
                    signal.raise_signal(number)
                yield progress

        whole = Training.run
        monkeypatch.setattr(Training, "run", run)

    return receive


def test_ctrl_c_ends_the_training_and_goes_on_to_the_samples(tiny_command, tmp_path, after_two_steps, capsys):
    after_two_steps(signal.SIGINT)
    options = ["--train-steps", "9", "--samples", "65", "--steps", "1"]
    assert main([*options, "--out", str(tmp_path)]) == 0
    assert load_model(tmp_path / "model.safetensors").notes["steps"] == tiny_command[0].step == 2
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["steps"] == 2
    assert "Stopped after 2 steps; what has been learned is kept." in capsys.readouterr().err


@pytest.mark.parametrize("at", [0, 2])
def test_a_loss_that_is_not_finite_ends_the_training_with_what_was_learned_before(
    tiny_command, tmp_path, at, monkeypatch, capsys
):
    finite = training.cfm_loss
    broken = lambda *batch: finite(*batch) * (torch.nan if tiny_command[0].step == at else 1)  # noqa: E731
    monkeypatch.setattr(training, "cfm_loss", broken)
    options = ["--train-steps", "9", "--samples", "65", "--steps", "1", "--out", str(tmp_path)]
    assert main(options) == (0 if at else 2)
    assert f"the loss is nan after {at} steps" in capsys.readouterr().err
    assert at == 0 or load_model(tmp_path / "model.safetensors").notes["steps"] == at
    assert at or list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", interrupts.ENDS, ids=lambda number: number.name)
def test_a_signal_to_end_takes_effect_once_the_model_is_written(
    tiny_command, tmp_path, number, after_two_steps, capsys
):
    def end(number, frame):
        kept.append(load_model(tmp_path / "model.safetensors").notes["steps"])
        raise SystemExit(128 + number)

    kept, before = [], signal.signal(number, end)
    after_two_steps(number)
    try:
        with pytest.raises(SystemExit) as stop:
            main(["--train-steps", "9", "--out", str(tmp_path)])
    finally:
        signal.signal(number, before)
    assert (stop.value.code, kept) == (128 + number, [2])
    assert_same(load_model(tmp_path / "model.safetensors").state_dict(), tiny_command[0].model.state_dict())
    assert "Stopped after 2 steps; what has been learned is kept." in capsys.readouterr().err


def test_what_is_stopped_before_its_first_step_leaves_the_model_of_yesterday(
    tiny_command, tmp_path, monkeypatch, capsys
):
    def run(*_, **__):
        signal.raise_signal(signal.SIGINT)
        yield from ()

    monkeypatch.setattr(Training, "run", run)
    (tmp_path / "model.safetensors").write_text("of yesterday")
    assert main(["--out", str(tmp_path)]) == 130
    assert (tmp_path / "model.safetensors").read_text() == "of yesterday"
    assert "python -m flowlib: stopped; " in capsys.readouterr().err


def test_what_is_put_off_waits_for_the_end_of_the_block_and_what_is_ignored_stays_so():
    heard, (first, *others) = [], (signal.SIGINT, *interrupts.ENDS)
    before = {number: signal.getsignal(number) for number in (first, *others)}
    try:
        for number in before:
            signal.signal(number, lambda number, frame: heard.append(number))
            with interrupts.defer_interrupt(*others) as pending:
                signal.raise_signal(number)
                signal.raise_signal(number)
                assert ([received[0] for received in pending], heard) == ([number, number], [])
            assert heard == [number]
            heard.clear()
            signal.signal(number, signal.SIG_IGN)
            with interrupts.defer_interrupt(*others) as pending:
                signal.raise_signal(number)
            assert pending == heard == []
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_where_the_folder_is_full_the_command_keeps_the_model_elsewhere(
    tiny_command, tmp_path, monkeypatch, capsys
):
    def full_disk(path, *content):
        if tmp_path / "out" in path.parents:
            raise OSError(28, "No space left on device", str(path))
        return write(path, *content)

    write = files.write_atomically
    monkeypatch.setattr(checkpoints, "write_atomically", full_disk)
    monkeypatch.setattr(command.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    assert main(["--train-steps", "2", "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert f"The model is in {tmp_path / 'model.safetensors'} instead" in told and "No space left" in told
    assert_same(load_model(tmp_path / "model.safetensors").state_dict(), tiny_command[-1].model.state_dict())


def test_where_the_temporary_folder_is_full_too_the_command_says_that_the_model_is_lost(
    tiny_command, tmp_path, monkeypatch, capsys
):
    def full_disk(path, *content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoints, "write_atomically", full_disk)
    monkeypatch.setattr(command.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "temporary"))
    assert main(["--train-steps", "2", "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    lost = f"The model is lost, since a temporary folder failed, too: .*{tmp_path / 'temporary'}"
    assert re.search(rf"{tmp_path / 'out'}.*\n{lost}", told) and "Traceback" not in told


def test_a_file_that_grows_too_large_for_the_disk_leaves_the_one_before(few_digits, tmp_path):
    """The operating system stops the write half-way, as a full disk does."""
    resource = pytest.importorskip("resource")
    path, model = tmp_path / "model.safetensors", tiny()
    save_model(model, path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r"make room there, or choose another path: .*model\.safetensors"):
            save_model(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert_same(model.state_dict(), weights)


KILLER = """if True:
    import json, os, random, signal, sys, time
    from pathlib import Path
    import torch
    from flowlib.checkpoints import load_model, save_model
    from flowlib.models import VelocityNet

    path = Path(sys.argv[1])
    model, random, seen = VelocityNet(), random.Random(0), []
    save_model(model, path, number=0)
    for round in range(20):
        heard, begun = os.pipe()
        child = os.fork()
        if not child:  # writes models whose weights all are the number in the notes, without end
            number = 1000 * round
            while True:
                number += 1
                for weight in model.parameters():
                    weight.data.fill_(number)
                save_model(model, path, number=number)
                os.write(begun, b".")
        os.read(heard, 1)  # it has written once, and goes on
        time.sleep(random.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        os.close(heard), os.close(begun)
        os.waitpid(child, 0)
        kept = load_model(path)
        number = kept.notes["number"]
        assert not number or all((weight == number).all() for weight in kept.parameters()), number
        seen.append(number)
    print(json.dumps(seen))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
def test_a_writer_that_is_killed_leaves_a_whole_model_and_its_litter_is_cleared(tmp_path):
    path = tmp_path / "model.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(path)],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(set(seen)) > 2  # they were killed while they wrote, not before
    drafts = [file for file in tmp_path.iterdir() if file != path]
    assert drafts, "no writer was killed half-way"
    other = tmp_path / ".model.safetensors.mine"
    for file in (*drafts[1:], other):
        file.touch()
        os.utime(file, (time.time() - 2 * files.ABANDONED,) * 2)
    save_model(VelocityNet(), path)
    assert set(tmp_path.iterdir()) == {path, drafts[0], other}  # a young draft may still be written
