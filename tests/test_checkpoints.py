import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from flowlib.checkpoints import load_model, save_model
from flowlib.models import VelocityNet


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_a_loaded_model_is_the_saved_one(path):
    model = VelocityNet()
    save_model(model, path, steps=7)
    loaded = load_model(path)
    x, t = torch.randn(2, 1, 16, 16), torch.rand(2)
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
    with pytest.raises(ValueError, match="expected a file of kind"):
        load_model(path)


def test_weights_that_do_not_fit_are_refused(path):
    model = VelocityNet()
    save_model(model, path)
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(ValueError, match="do not fit"):
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
