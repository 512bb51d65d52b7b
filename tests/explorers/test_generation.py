import torch

from flowlib import explorers
from flowlib.data import five_points
from flowlib.fields import marginal_field
from flowlib.models import VelocityNet
from flowlib.paths import LinearPath


def test_solver_steps_follows_its_control(move):
    field = marginal_field(five_points(), LinearPath())
    move.every(explorers.solver_steps(field, five_points(), torch.randn(9, 2)))


def test_heading_follows_its_controls(move):
    move.every(explorers.heading(VelocityNet()))
