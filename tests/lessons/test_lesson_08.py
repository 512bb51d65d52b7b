"""Lesson 08: what the switchboard refuses."""

import pytest
import torch

from flowlib.lessons import lesson_08
from flowlib.solvers import Trajectory, time_grid


def test_a_switchboard_with_a_gap_is_refused():
    film = Trajectory(time_grid(8), torch.randn(9, 10, 1, 16, 16))
    films = {("velocity", "up"): film, ("noise", "down"): film}
    for some in (films, {}):
        with pytest.raises(ValueError, match="every target with every sampler"):
            lesson_08.switchboard(some, dict.fromkeys(some, (0.5, 1.0)))
