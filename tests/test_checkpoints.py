import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from flowlib.checkpoints import load_model, load_training, save_model, save_training
from flowlib.data import Digits
from flowlib.models import VelocityNet
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.training import Training


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def few_digits(digits):
    return Digits(digits.images[:70], digits.labels[:70])


def test_a_loaded_model_is_the_saved_one(path):
    model = VelocityNet()
    save_model(model, path, steps=7)
    loaded = load_model(path)
    x, t = torch.randn(2, 1, 16, 16), torch.rand(2)
    assert loaded.notes == {"steps": 7}
    assert torch.equal(loaded(x, t), model.eval()(x, t))


def test_the_file_is_plain_safetensors(path):
    model = VelocityNet()
    save_model(model, path)
    assert load_file(path).keys() == model.state_dict().keys()


@pytest.mark.parametrize("content", [b"", b"not a model", pickle.dumps({"weights": 1})])
def test_a_file_that_is_something_else_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected a safetensors file"):
        load_model(path)


def test_a_safetensors_file_of_another_kind_is_refused(path):
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"expected a safetensors file of kind .* it is marked as nothing"):
        load_model(path)


def test_weights_that_do_not_fit_are_refused(path):
    model = VelocityNet()
    save_model(model, path)
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(ValueError, match="does not fit"):
        load_model(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(OSError, match=r"model\.safetensors"):
        load_model(path)


def test_a_failed_write_leaves_the_checkpoint_before(path, monkeypatch):
    save_model(VelocityNet(), path)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowlib.files.os.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_model(VelocityNet(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def rewritten(path, change):
    """The file with its tensors and facts changed by `change(tensors, facts)`."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    [(kind, facts)] = metadata.items()
    facts = json.loads(facts)
    change(tensors, facts)
    save_file(
        {name: tensor.clone() for name, tensor in tensors.items()},
        path,
        {kind: json.dumps(facts)},
    )


@pytest.mark.parametrize("fine", [8_000_000, -8, "many", 0.5])
def test_a_description_of_a_monstrous_network_is_refused_without_building_it(path, fine):
    save_model(VelocityNet(), path)
    rewritten(path, lambda tensors, facts: facts["config"].update(fine=fine))
    with pytest.raises(ValueError, match=r"model\.safetensors: .* does not fit"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda tensors, facts: tensors.pop("optimizer.3.exp_avg"),
            r"optimizer\.3\.exp_avg .* but came nothing",
        ),
        (
            lambda tensors, facts: tensors.update({"optimizer.0.exp_avg": torch.zeros(3)}),
            r"optimizer\.0\.exp_avg does",
        ),
        (lambda tensors, facts: tensors.pop("generator"), "generator .* but came nothing"),
        (lambda tensors, facts: facts.pop("step"), "step=None"),
        (lambda tensors, facts: facts.update(seconds="7"), "seconds='7'"),
    ],
)
def test_a_training_that_could_not_go_on_to_the_bit_is_refused(path, few_digits, change, words):
    training = Training(few_digits, VelocityNet(fine=8, coarse=8, context=8))
    list(training.run(steps=1))
    save_training(training, path)
    load_training(path, few_digits)
    rewritten(path, change)
    with pytest.raises(ValueError, match=rf"model\.safetensors: .*{words}"):
        load_training(path, few_digits)


def test_a_path_that_could_not_be_loaded_is_not_saved(path, few_digits):
    class Mine(LinearPath):
        pass

    with pytest.raises(ValueError, match="LinearPath, TrigonometricPath"):
        save_model(VelocityNet(Mine()), path)
    training = Training(few_digits, VelocityNet(fine=8, coarse=8, context=8), Mine())
    with pytest.raises(ValueError, match="LinearPath, TrigonometricPath"):
        save_training(training, path)


def far_from_new(model):
    """The model with all weights at random, so that none of its layers still does nothing."""
    generator = torch.Generator().manual_seed(0)
    for weight in (*model.parameters(), model.gaussians.mean):
        weight.data = torch.randn(weight.shape, generator=generator).to(weight) / 10
    return model.eval()


@pytest.mark.parametrize("path_of_it", [LinearPath(), TrigonometricPath()])
@pytest.mark.parametrize("size", [{}, {"fine": 16, "coarse": 8, "context": 12}, {"fine": np.int64(8)}])
def test_a_model_of_any_path_and_width_says_after_loading_what_it_said_before(path, path_of_it, size):
    model = far_from_new(VelocityNet(path_of_it, **size))
    save_model(model, path)
    loaded = load_model(path)
    x, t, label = torch.randn(3, 1, 16, 16), torch.rand(3), torch.tensor([0, 9, 10])
    assert torch.equal(loaded(x, t, label=label), model(x, t, label=label))
    assert (loaded.path, loaded.gaussians.path) == (path_of_it, path_of_it)
    assert loaded.config == model.config
    assert not loaded.training


LINE, ARC = LinearPath(), TrigonometricPath()


@pytest.mark.parametrize("times", ["logit-normal", "uniform"])
@pytest.mark.parametrize(
    ("network_path", "training_path"), [(LINE, ARC), (ARC, LINE), (ARC, ARC), (ARC, None)]
)
def test_a_training_of_any_path_and_times_goes_on_to_the_bit_as_what_it_was(
    path, few_digits, network_path, training_path, times
):
    size = {"fine": 8, "coarse": 16, "context": 12}
    through = Training(few_digits, VelocityNet(network_path, **size), training_path, seed=4, times=times)
    for progress in through.run(steps=4):
        if progress.step == 2:
            save_training(through, path)
    resumed = load_training(path, few_digits)
    assert (resumed.path, resumed.times, resumed.step) == (training_path or network_path, times, 2)
    *_, last = resumed.run(steps=4)
    assert (last.step, last.loss) == (4, through.loss)
    for module in ("network", "model"):
        expected = getattr(through, module).state_dict()
        assert all(
            torch.equal(each, expected[n]) for n, each in getattr(resumed, module).state_dict().items()
        )


def test_a_training_with_a_frozen_layer_goes_on_with_it_frozen(path, few_digits):
    model = VelocityNet(fine=8, coarse=8, context=8)
    frozen = [name for name, weight in model.embedding.named_parameters(prefix="embedding")]
    model.embedding.requires_grad_(False)
    through = Training(few_digits, model, seed=1)
    for progress in through.run(steps=4):
        if progress.step == 2:
            save_training(through, path)
    resumed = load_training(path, few_digits)
    list(resumed.run(steps=4))
    assert [n for n, weight in resumed.network.named_parameters() if not weight.requires_grad] == frozen
    expected = through.network.state_dict()
    assert all(torch.equal(each, expected[n]) for n, each in resumed.network.state_dict().items())


def test_a_training_saved_before_there_were_two_paths_goes_on_along_that_of_its_network(path, few_digits):
    save_training(Training(few_digits, VelocityNet(ARC, fine=8, coarse=8, context=8)), path)
    rewritten(path, lambda tensors, facts: (facts.pop("training_path"), facts.pop("frozen")))
    assert load_training(path, few_digits).path == ARC


@pytest.mark.parametrize("name", ["times", "training_path", "frozen"])
@pytest.mark.parametrize("said", ["another", ["conv_in.bias"], 7, {}])
def test_a_training_on_what_is_unknown_here_is_refused(path, few_digits, name, said):
    training = Training(few_digits, VelocityNet(fine=8, coarse=8, context=8))
    next(training.run(steps=1))
    save_training(training, path)
    rewritten(path, lambda tensors, facts: facts.update({name: said}))
    words = (
        r"frozen weights are no list|its optimizer\.\d\." if name == "frozen" else "to be one of .*, but is"
    )
    with pytest.raises(ValueError, match=words):
        load_training(path, few_digits)


@pytest.fixture
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_model_of_float64_is_refused_with_what_to_type_and_then_taken(path, in_float64):
    model = VelocityNet(fine=8, coarse=8, context=8)
    with pytest.raises(ValueError, match=r"torch\.float64 of shape .*; write model\.float\(\)"):
        save_model(model, path)
    assert not path.exists()
    save_model(model.float(), path)
    assert load_model(path).conv_in.weight.dtype == torch.float32


def test_a_file_is_the_same_model_and_training_whatever_the_readers_default_dtype(path, few_digits):
    model = far_from_new(VelocityNet(fine=8, coarse=8, context=8))
    training = Training(few_digits, model)
    next(training.run(steps=2))
    save_training(training, path.with_suffix(".training"))
    save_model(training.model, path)
    x, t = torch.randn(2, 1, 16, 16), torch.rand(2)
    expected = training.model(x, t)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(load_model(path)(x, t), expected)
        assert torch.equal(load_training(path.with_suffix(".training"), few_digits).model(x, t), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_notes_may_be_numbers_of_numpy_and_pytorch(path):
    numbers = {"half": np.float32(0.5), "three": np.int64(3), "two": torch.tensor(2), "yes": np.bool_(True)}
    save_model(VelocityNet(fine=8, coarse=8, context=8), path, **numbers, text="a", nothing=None)
    notes = {"half": 0.5, "three": 3, "two": 2, "yes": True, "text": "a", "nothing": None}
    assert load_model(path).notes == notes
    assert [type(load_model(path).notes[name]) for name in numbers] == [float, int, int, bool]


@pytest.mark.parametrize("note", [{1}, np.zeros(3), torch.zeros(1), object()])
def test_notes_that_are_neither_numbers_nor_texts_are_refused_before_anything_is_written(path, note):
    with pytest.raises(ValueError, match=r"notes need to be numbers or texts, but one is .*; write str"):
        save_model(VelocityNet(fine=8, coarse=8, context=8), path, note=note)
    assert not path.exists()


def test_the_readers_own_folder_may_be_written_as_a_tilde(tmp_path, few_digits, monkeypatch):
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    training = Training(few_digits, VelocityNet(fine=8, coarse=8, context=8))
    save_model(training.model, "~/a model")
    save_training(training, Path("~/folder/a training"))
    assert {file.name for file in tmp_path.iterdir()} == {"a model", "folder"}
    assert load_model("~/a model").config == load_training("~/folder/a training", few_digits).network.config


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has such a device")
def test_a_device_that_is_not_there_is_refused_before_a_training_goes_on(path, few_digits):
    save_training(Training(few_digits, VelocityNet(fine=8, coarse=8, context=8)), path)
    with pytest.raises(ValueError, match="this machine has no cuda device; choose cpu, or auto"):
        load_training(path, few_digits, device="cuda")
