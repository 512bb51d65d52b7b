"""The explorer: what it computes anew, and that each explorer of the lessons follows its controls."""

import base64
import inspect
import io
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
import torch
from PIL import Image
from seen import hold
from torch.distributions import Normal

from flowlib import lessons
from flowlib.data import five_points
from flowlib.fields import linear_field, marginal_field
from flowlib.gaussians import ClassGaussians
from flowlib.lessons import (
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
)
from flowlib.lessons.explorer import Explorer, choice, number, real
from flowlib.mlp import VelocityMLP
from flowlib.models import VelocityNet
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.solvers import Trajectory, time_grid

PLANE, LINE, STARTS = (
    five_points().double(),
    torch.tensor([[-1.0], [0.5]]).double(),
    torch.randn(6, 2).double(),
)
FIELDS = {"saddle": linear_field(torch.tensor([[1.0, 0.0], [0.0, -1.0]]).double()), "sink": lambda x, t: -x}
PATHS = {"line": LinearPath(), "arc": TrigonometricPath()}
FILMS = {
    (target, sampler): Trajectory(time_grid(8), torch.randn(9, 10, 1, 16, 16))
    for target in ("velocity", "noise")
    for sampler in ("up", "down")
}


def density(x, t, m=2.0, s=0.5):
    """A bell that moves and narrows."""
    return Normal(t[:, None] * m, (1 - t + t * s)[:, None]).log_prob(x).exp()


def towards(x, t, m=2.0, s=0.5):
    """A field on the line."""
    return m + (s - 1) * x


def half_way_to_noise(digits):
    gaussians, real = ClassGaussians().double(), digits.images[:60]
    gaussians.fit(digits)
    explorer = lesson_02.blend(real, {"blank": -torch.ones_like(real), "black": -real}, gaussians)
    explorer.controls["share"].value = 0.5  # at 0 it is the real digit, whatever it could turn into
    return explorer


EXPLORERS = {  # of all lessons, made from the digits
    "image_as_vector": lambda digits: lesson_01.image_as_vector(digits.images[:3]),
    "pixel_neighbours": lesson_01.pixel_neighbours,
    "shadows": lambda digits: lesson_01.shadows(digits, torch.linalg.qr(torch.randn(256, 5))[0]),
    "drawing_as_vector": lesson_01.drawing_as_vector,
    "blend": half_way_to_noise,
    "finite_sample": lesson_02.finite_sample,
    "drifting_point": lambda digits: lesson_03.drifting_point(FIELDS),
    "mapped_lattice": lambda digits: lesson_03.mapped_lattice(FIELDS),
    "solver_against_exact": lambda digits: lesson_03.solver_against_exact(
        FIELDS["sink"], lambda x_0, t: (-t).exp()[:, None] * x_0, STARTS[:1]
    ),
    "existence_lab": lambda digits: lesson_04.existence_lab(),
    "picard_iteration": lambda digits: lesson_04.picard_iteration(),
    "nearby_starts": lambda digits: lesson_04.nearby_starts(),
    "moving_bell": lambda digits: lesson_05.moving_bell(density, towards),
    "be_the_network": lambda digits: lesson_05.be_the_network(
        towards, density, lambda model, ts: model(ts, ts).square() / 9, STARTS[:, :1]
    ),
    "training_stages": lambda digits: lesson_05.training_stages(
        {n: VelocityMLP(1, seed=n).double() for n in (0, 1, 10)},
        {0: 4.0, 1: 2.0, 10: 1.0},
        towards,
        density,
        STARTS[:, :1],
    ),
    "pulls_at_a_place": lambda digits: lesson_06.pulls_at_a_place(PLANE),
    "pulls_on_a_digit": lesson_06.pulls_on_a_digit,
    "pulls_on_a_drawing": lesson_06.pulls_on_a_drawing,
    "regressor": lambda digits: lesson_07.regressor(LINE),
    "losses_at_each_time": lambda digits: lesson_07.losses_at_each_time(
        {"0": lambda x, t: 0 * x, "−x": lambda x, t: -x}, LINE, time_grid(20)[:-1]
    ),
    "schedules": lambda digits: lesson_08.schedules(digits, PATHS),
    "switchboard": lambda digits: lesson_08.switchboard(FILMS, dict.fromkeys(FILMS, (0.5, 1.0))),
    "two_views": lambda digits: lesson_08.two_views(PLANE, PATHS, STARTS),
    "solver_steps": lambda digits: lesson_09.solver_steps(marginal_field(PLANE, LinearPath()), PLANE, STARTS),
    "heading": lambda digits: lesson_09.heading(VelocityNet()),
    "finished_drawing": lambda digits: lesson_09.finished_drawing(VelocityNet()),
}


def test_the_table_has_every_explorer_of_every_lesson():
    names = [module.name for module in iter_modules(lessons.__path__) if module.name.startswith("lesson_")]
    made = [
        name
        for module in (import_module(f"flowlib.lessons.{name}") for name in names)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if inspect.signature(function).return_annotation is Explorer
        if function.__module__ == module.__name__
    ]
    assert sorted(made) == sorted(EXPLORERS)


@pytest.mark.parametrize("name", EXPLORERS)
def test_an_explorer_of_the_lessons_follows_each_of_its_controls(name, move, digits):
    move.every(EXPLORERS[name](digits))


MODULES = [import_module(file.stem) for file in sorted(Path(__file__).parent.glob("oracle_*.py"))]
ORACLES = {name: case for module in MODULES for name, case in module.EXPLORERS.items()}


@pytest.mark.parametrize("name", ORACLES)
def test_an_explorer_shows_what_an_independent_calculation_gives_at_every_setting(name, digits, monkeypatch):
    monkeypatch.setattr("flowlib.lessons.explorer.figure_html", lambda *figure, **look: "")  # half the time
    explorer = ORACLES[name].make(digits)
    for setting in ORACLES[name].settings:
        for control, value in setting.items():
            explorer.controls[control].value = value
        values = {control: widget.value for control, widget in explorer.controls.items()}
        hold(explorer, ORACLES[name].expected(digits, **values))


@pytest.mark.parametrize("name", ORACLES)
def test_each_control_of_an_explorer_is_tried_at_three_values_or_all(name, digits):
    for control, widget in ORACLES[name].make(digits).controls.items():
        values = {setting[control] for setting in ORACLES[name].settings if control in setting}
        assert len(values) >= min(3, len(getattr(widget, "options", "any"))), f"{control}: {values}"


def picture(explorer):
    data = explorer.picture.value.split("base64,")[1].split('"')[0]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def draw(figure, value):
    figure.add_subplot().plot([0, 1], [0, value])
    return f"a line up to {value}"


def test_a_view_that_was_seen_is_not_computed_again():
    computed = []

    def compute(number):
        computed.append(number)
        return number

    explorer = Explorer(compute, draw, (2, 1), number=number("number", 0, 0, 5))
    for value in (1, 0, 1):
        explorer.controls["number"].value = value
    assert computed == [0, 1]


def test_the_picture_has_its_size_in_every_view_so_nothing_jumps():
    explorer = Explorer(lambda value: value, draw, (4, 2), value=real("value", 0, 0, 1e6, 1e5))
    assert picture(explorer).size == (400, 200)
    explorer.controls["value"].value = 5e5
    assert picture(explorer).size == (400, 200)


def test_a_picture_without_words_is_refused():
    with pytest.raises(ValueError, match="words"):
        Explorer(lambda name: name, lambda figure, name: " ", (2, 1), name=choice("name", ["a", "b"]))
