"""Checkpoints: a model, or a whole training, as one `safetensors` file that says what it holds.

Nothing in such a file is ever executed; names and shapes are compared before a network is built.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from flowlib.data import Digits
from flowlib.files import write_atomically
from flowlib.models import VelocityNet
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.training import Training

MODEL, TRAINING = "flowlib model 1", "flowlib training 1"
PATHS = {type(path).__name__: path for path in (LinearPath(), TrigonometricPath())}
COUNTERS = ("step", "seconds", "loss")


def save_model(model: VelocityNet, path: str | Path, **notes: Any) -> None:
    """Write a model's weights, how it is built, and `notes` (numbers or texts about it) to `path`."""
    _save(path, MODEL, model.state_dict(), _building_plan(model) | {"notes": notes})


def load_model(path: str | Path) -> VelocityNet:
    """The model in a file of `save_model`, ready to use; its `notes` are an attribute of it.

    Raises `ValueError` for a file that is something else, `OSError` where it cannot be read.
    """
    tensors, facts = _load(path, MODEL)
    model = _model(path, facts, tensors).eval()
    model.notes = facts.get("notes", {})
    return model


def save_training(training: Training, path: str | Path) -> None:
    """Write all that a training needs to go on to the bit: weights, average, optimiser, random state."""
    tensors = _prefixed("network", training.network.state_dict())
    tensors |= _prefixed("model", training.model.state_dict())
    for i, state in training.optimizer.state_dict()["state"].items():
        tensors |= _prefixed(f"optimizer.{i}", state)
    tensors["generator"] = training.generator.get_state()
    counters = {name: getattr(training, name) for name in COUNTERS}
    _save(path, TRAINING, tensors, _building_plan(training.network) | counters)


def load_training(path: str | Path, digits: Digits, device: str = "cpu") -> Training:
    """The training in a file of `save_training`; `run` goes on where it stopped.

    The file does not hold the `digits`. Raises `ValueError` for a file that is something else, `OSError`
    where it cannot be read.
    """
    tensors, facts = _load(path, TRAINING)
    network = _model(path, facts, _under("network", tensors))
    average = _model(path, facts, _under("model", tensors))
    counters = {name: facts.get(name) for name in COUNTERS}
    states = {}
    for i, weight in enumerate(network.parameters()):
        state = _under(f"optimizer.{i}", tensors)
        shapes = {"step": (), "exp_avg": weight.shape, "exp_avg_sq": weight.shape} if counters["step"] else {}
        if {name: tensor.shape for name, tensor in state.items()} != shapes:
            raise ValueError(f"{path}: its optimiser's state does not fit its weights")
        if state:  # a training of no steps has none
            states[i] = {name: _laid_out_like(weight, tensor) for name, tensor in state.items()}
    if "generator" not in tensors or not all(isinstance(value, int | float) for value in counters.values()):
        raise ValueError(f"{path}: it lacks the random state, or the numbers {', '.join(COUNTERS)}")
    training = Training(digits, network, network.path, device=device)
    training.model.load_state_dict(average.state_dict())
    training.optimizer.load_state_dict({**training.optimizer.state_dict(), "state": states})
    training.generator.set_state(tensors["generator"])
    for name, value in counters.items():
        setattr(training, name, value)
    return training


def _save(path: str | Path, kind: str, tensors: dict[str, Tensor], facts: dict) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(tensors, {"kind": kind, "facts": json.dumps(facts)}))


def _load(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("kind") != kind:
                raise ValueError(
                    f"{path}: expected a file of kind {kind!r}, but came {metadata.get('kind')!r}"
                )
            facts = json.loads(metadata.get("facts", ""))
            if not isinstance(facts, dict):
                raise ValueError(f"{path}: its facts are no JSON object")
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected a safetensors file of flowlib, but came something else ({error})"
        ) from None


def _building_plan(model: VelocityNet) -> dict:
    if type(model.path) not in map(type, PATHS.values()):
        raise ValueError(f"a file holds a path of {', '.join(PATHS)}, but the model has {model.path}")
    return {"path": type(model.path).__name__, "config": model.config}


def _model(path: str | Path, facts: dict, tensors: dict[str, Tensor]) -> VelocityNet:
    """The network that `facts` describe, with the weights `tensors`."""
    try:
        with torch.device("meta"):  # shapes without memory: a file may ask for any size
            model = VelocityNet(PATHS[facts["path"]], **facts["config"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path}: its description of the network does not fit this flowlib ({error})"
        ) from None
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ValueError(f"{path}: its weights do not fit its own description")
    model.to_empty(device="cpu").load_state_dict(tensors)
    return model


def _laid_out_like(weight: Tensor, state: Tensor) -> Tensor:
    """A copy, which lets go of the file, in the weight's memory format, on which a fused optimiser relies."""
    return torch.empty_like(weight).copy_(state) if state.shape == weight.shape else state.clone()


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": torch.as_tensor(tensor) for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")
    }
