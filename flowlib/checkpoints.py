"""Checkpoints: a model, or a whole training, as one `safetensors` file that says what it holds.

Nothing in such a file is ever executed; names, shapes, dtypes and numbers are compared with what the file
says of itself, when it is written and when it is read.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from flowlib.data import Digits
from flowlib.files import expanded, write_atomically
from flowlib.models import VelocityNet
from flowlib.paths import AffinePath, LinearPath, TrigonometricPath
from flowlib.training import TIME_SAMPLERS, Training

MODEL, TRAINING = "flowlib model 1", "flowlib training 1"
PATHS = {type(path).__name__: path for path in (LinearPath(), TrigonometricPath())}
COUNTERS = ("step", "seconds", "loss")


def save_model(model: nn.Module, path: str | Path, **notes: Any) -> None:
    """Write a model's weights, how it is built, and `notes` (numbers or texts about it) to `path`.

    Raises `ValueError` for a model that could not be loaded again, such as one whose weights are NaN or
    float64, or for other notes, and `OSError` where it cannot write; what stood at `path` then still stands.
    """
    _save(path, MODEL, model.state_dict(), _building_plan(model) | {"notes": notes})


def load_model(path: str | Path) -> VelocityNet:
    """The model in a file of `save_model`, ready to use; its `notes` are an attribute of it.

    Raises `ValueError` for a file that is something else, `OSError` where it cannot be read.
    """
    tensors, facts = _load(path, MODEL)
    model = _model(facts, tensors).eval()
    model.notes = facts.get("notes", {})
    return model


def save_training(training: Training, path: str | Path) -> None:
    """Write all that a training needs to go on to the bit: weights, average, optimiser, random state.

    Raises `ValueError` and `OSError` as `save_model` does.
    """
    facts = {name: getattr(training, name) for name in (*COUNTERS, "times")}
    facts |= _building_plan(training.network) | {"training_path": _name(training.path)}
    facts["frozen"] = [
        name for name, weight in training.network.named_parameters() if not weight.requires_grad
    ]
    tensors = _prefixed("network", training.network.state_dict())
    tensors |= _prefixed("model", training.model.state_dict())
    for i, state in training.optimizer.state_dict()["state"].items():
        tensors |= _prefixed(f"optimizer.{i}", state)
    tensors["generator"] = training.generator.get_state()
    _save(path, TRAINING, tensors, facts)


def load_training(path: str | Path, digits: Digits, device: str = "cpu") -> Training:
    """The training in a file of `save_training`; `run` goes on where it stopped.

    The file does not hold the `digits`. Raises `ValueError` for a file that is something else, `OSError`
    where it cannot be read.
    """
    tensors, facts = _load(path, TRAINING)
    network = _model(facts, _under("network", tensors))
    states = {}
    for i, _ in _moved(network, facts):
        state = _under(f"optimizer.{i}", tensors)
        states[i] = {name: tensor.clone() for name, tensor in state.items()}  # it lets go of the file
    training = Training(digits, network, PATHS[facts["training_path"]], device=device, times=facts["times"])
    training.model.load_state_dict(_under("model", tensors))
    training.optimizer.load_state_dict({**training.optimizer.state_dict(), "state": states})
    training.generator.set_state(tensors["generator"])
    for name in COUNTERS:
        setattr(training, name, facts[name])
    return training


def _save(path: str | Path, kind: str, tensors: dict[str, Tensor], facts: dict) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        _check(kind, tensors, facts)
        written = json.dumps(facts, default=_plain)
    except ValueError as error:
        raise ValueError(f"{path} is left as it was: {error}") from None
    write_atomically(path, save(tensors, {kind: written}))


def _plain(note: Any) -> Any:
    """A number of NumPy or PyTorch as one of Python."""
    if getattr(note, "shape", None) != ():
        raise ValueError(f"notes need to be numbers or texts, but one is {note!r:.60}; write str(...)")
    return note.item()


def _load(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict]:
    path = expanded(path)
    path.open("rb").close()  # so that the error for a missing file or a folder is Python's own
    try:
        with safe_open(path, framework="pt") as file:  # maps the file: no tensor takes memory before its use
            metadata = file.metadata() or {}
            if kind not in metadata:
                raise ValueError(f"it is marked as {' and '.join(metadata)[:99] or 'nothing'}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(metadata[kind])
        _check(kind, tensors, facts)
    except (SafetensorError, ValueError, MemoryError, RuntimeError) as error:  # of recursion and mapping, too
        raise ValueError(f"{path}: expected a safetensors file of kind {kind!r}, but {error}") from None
    return tensors, facts


def _check(kind: str, tensors: dict[str, Tensor], facts: Any) -> None:
    """Raise `ValueError` unless a file of this kind can be used with these tensors and facts."""
    if not isinstance(facts, dict) or not isinstance(facts.get("notes", {}), dict):
        raise ValueError("its facts are not a JSON object")
    if kind == TRAINING:
        _check_counters(*map(facts.get, COUNTERS))
        facts.setdefault("training_path", facts.get("path"))  # older files have one path for both
        if not isinstance(facts.setdefault("frozen", []), list):
            raise ValueError("its frozen weights are no list of names")
        for name, known in (("times", TIME_SAMPLERS), ("training_path", PATHS)):
            if (said := facts.get(name)) not in list(known):  # which compares with whatever a file says
                raise ValueError(f"its {name} needs to be one of {', '.join(known)}, but is {said!r:.60}")
    layout = _layout(kind, facts)
    for name in sorted(layout.keys() | tensors.keys()):
        needed, came = (_described(each.get(name)) for each in (layout, tensors))
        if needed != came:
            remedy = "; write model.float()" if "float64" in came else ""
            raise ValueError(f"its {name} does not fit: needed is {needed}, but came {came}{remedy}")
        if not tensors[name].isfinite().all():
            raise ValueError(f"its {name} holds NaN or infinity")
        lowest = {"exp_avg_sq": 0.0, "variance": 1e-12}.get(name.rpartition(".")[2], -math.inf)
        if tensors[name].min() < lowest:
            raise ValueError(f"its {name} holds numbers too small for a variance")
        if name.startswith("optimizer") and name.endswith("step") and tensors[name] != facts["step"]:
            raise ValueError(f"its {name} is {tensors[name].item():g}, but its step is {facts['step']}")
    if kind == TRAINING:
        try:
            torch.Generator().set_state(tensors["generator"])
        except RuntimeError:
            raise ValueError("its generator is not a random state") from None


def _check_counters(step: Any, seconds: Any, loss: Any) -> None:
    counts = type(step) is int and 0 <= step < 2**53
    if not (counts and type(seconds) is type(loss) is float and 0 <= seconds < math.inf):
        raise ValueError(f"its counters are not those of a training: {step=}, {seconds=}, {loss=}")
    if step and not math.isfinite(loss):
        raise ValueError(f"its loss is {loss} after {step} steps")


def _layout(kind: str, facts: dict) -> dict[str, Tensor]:
    """The tensors that belong into a file of this kind, with shapes and dtypes, but without numbers."""
    network = _unfilled(facts)
    weights = network.state_dict()
    if kind == MODEL:
        return weights
    tensors = _prefixed("network", weights) | _prefixed("model", weights)
    for i, weight in _moved(network, facts):
        state = {"step": torch.zeros((), dtype=torch.float32), "exp_avg": weight, "exp_avg_sq": weight}
        tensors |= _prefixed(f"optimizer.{i}", state)
    return tensors | {"generator": torch.Generator().get_state()}


def _moved(network: VelocityNet, facts: dict) -> list[tuple[int, Tensor]]:
    """Freeze what is frozen; number and weight of all others, once a step has moved them."""
    for name, weight in network.named_parameters():
        weight.requires_grad_(name not in facts["frozen"])
    return [(i, w) for i, w in enumerate(network.parameters()) if w.requires_grad and facts["step"]]


def _described(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else f"{tensor.dtype} of shape {tuple(tensor.shape)}"


def _building_plan(model: nn.Module) -> dict:
    if not isinstance(model, VelocityNet):
        raise ValueError(f"a file holds a VelocityNet, but came a {type(model).__name__}")
    return {"path": _name(model.path), "config": model.config}


def _name(path: AffinePath) -> str:
    """What a file calls a path; `ValueError` for one that it could not tell of."""
    if type(path) not in map(type, PATHS.values()):
        raise ValueError(f"a file holds a path of {', '.join(PATHS)}, but came {path}")
    return type(path).__name__


def _unfilled(facts: dict) -> VelocityNet:
    """The network that `facts` describe, with shapes but without memory: a file may ask for any size."""
    try:
        with torch.device("meta"):
            return VelocityNet(PATHS[facts["path"]], **facts["config"]).float()  # whatever the default is
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"its description of the network does not fit this flowlib ({error})") from None


def _model(facts: dict, weights: dict[str, Tensor]) -> VelocityNet:
    """The network that `facts` describe, with these weights."""
    model = _unfilled(facts).to_empty(device="cpu")
    model.load_state_dict(weights)
    return model


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": torch.as_tensor(tensor) for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")
    }
