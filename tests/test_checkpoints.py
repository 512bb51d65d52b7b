import json
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from flowlib.checkpoints import load_model, load_training, save_model, save_training
from flowlib.data import load_digits
from flowlib.models import VelocityNet
from flowlib.paths import LinearPath
from flowlib.training import Training


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


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
def test_a_training_that_could_not_go_on_to_the_bit_is_refused(path, change, words):
    digits = load_digits().only(3)
    training = Training(digits)
    list(training.run(steps=1))
    save_training(training, path)
    load_training(path, digits)
    rewritten(path, change)
    with pytest.raises(ValueError, match=rf"model\.safetensors: .*{words}"):
        load_training(path, digits)


def test_a_path_that_could_not_be_loaded_is_not_saved(path):
    class Mine(LinearPath):
        pass

    with pytest.raises(ValueError, match="LinearPath, TrigonometricPath"):
        save_model(VelocityNet(Mine()), path)
