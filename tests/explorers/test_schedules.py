import re

import pytest
import torch

from flowlib import explorers
from flowlib.data import five_points
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.solvers import Trajectory, time_grid

PATHS = {"line": LinearPath(), "arc": TrigonometricPath()}


def test_schedules_follows_its_controls(digits, move):
    move.every(explorers.schedules(digits, PATHS))


def test_the_velocity_stays_the_same_on_the_line_and_not_on_the_arc(digits, move):
    explorer = explorers.schedules(digits, PATHS)

    def lengths(name):
        explorer.controls["name"].value = name
        for t in (0.0, 0.4, 1.0):
            explorer.controls["t"].value = t
            yield float(re.search(r"length ([\d.]+)\.", move.alt(explorer))[1])

    assert len(set(lengths("line"))) == 1
    assert len(set(lengths("arc"))) == 3


def test_switchboard_shows_the_film_and_the_scores_of_what_is_chosen(move):
    keys = [(target, sampler) for target in ("velocity", "noise") for sampler in ("up", "down")]
    films = {key: Trajectory(time_grid(8), torch.randn(9, 10, 1, 16, 16)) for key in keys}
    scores = {key: (place / 4, place + 0.5) for place, key in enumerate(keys)}
    explorer = explorers.switchboard(films, scores)
    assert [explorer.controls[name].options for name in ("target", "sampler")] == [
        ("velocity", "noise"),
        ("up", "down"),
    ]
    move.every(explorer)
    assert "Target noise, sampler: down. Of 100 images 75%" in move.alt(explorer)
    assert "distance 3.5" in move.alt(explorer)


def test_a_switchboard_with_a_gap_is_refused():
    film = Trajectory(time_grid(8), torch.randn(9, 10, 1, 16, 16))
    films = {("velocity", "up"): film, ("noise", "down"): film}
    for some in (films, {}):
        with pytest.raises(ValueError, match="every target with every sampler"):
            explorers.switchboard(some, dict.fromkeys(some, (0.5, 1.0)))


def test_two_views_follows_its_controls(move):
    start = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).double()
    move.every(explorers.two_views(five_points().double(), PATHS, start))


@pytest.mark.parametrize("name", list(PATHS))
def test_both_views_start_together_part_and_end_together(move, name):
    start = torch.tensor([[0.3, 1.2]]).double()
    explorer = explorers.two_views(five_points().double(), PATHS, start)
    explorer.controls["name"].value = name
    apart = []
    for t in (0.0, 0.5, 0.98):
        explorer.controls["t"].value = t
        apart.append(float(re.search(r"field is ([\d.]+) away", move.alt(explorer))[1]))
    assert apart[0] == 0
    assert apart[1] > 0.05
    assert apart[2] < 0.05


def test_the_weights_of_two_views_add_up_to_one(move):
    start = torch.tensor([[0.3, 1.2], [-1.0, 0.5]]).double()
    explorer = explorers.two_views(five_points().double(), PATHS, start)
    explorer.controls["t"].value = 0.0
    weights = [float(w) for w in re.search(r"points: ([\d., ]+)\.", move.alt(explorer))[1].split(", ")]
    assert weights == [0.2] * 5
