import torch

from flowlib import explorers
from flowlib.fields import linear_field

TURN = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
FIELDS = {"rotation": linear_field(TURN), "sink": linear_field(-torch.eye(2, dtype=torch.float64))}


def circle(x_0, t):
    return torch.stack([t.cos(), t.sin()], dim=1) * x_0.norm(dim=1, keepdim=True)


def test_drifting_point_follows_its_controls(move):
    move.every(explorers.drifting_point(FIELDS))


def test_drifting_point_starts_where_it_is_put_and_tells_its_velocity(move):
    explorer = explorers.drifting_point(FIELDS)
    for name, value in {"x": 1.0, "y": 2.0, "t": 0.0}.items():
        explorer.controls[name].value = value
    assert move.alt(explorer).endswith("the point is at [1.0, 2.0], its velocity is [-2.0, 1.0].")


def test_mapped_lattice_follows_its_controls(move):
    move.every(explorers.mapped_lattice(FIELDS))


def test_the_area_of_the_square_is_that_of_the_flow(move):
    explorer = explorers.mapped_lattice(FIELDS)
    for name, t, factor in (("rotation", 1.0, "1.00"), ("sink", 0.0, "1.00"), ("sink", 1.0, "0.14")):  # e^-2
        explorer.controls["name"].value, explorer.controls["t"].value = name, t
        assert f"has {factor} times" in move.alt(explorer)


def test_solver_against_exact_follows_its_controls(move):
    start = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    explorer = explorers.solver_against_exact(FIELDS["rotation"], circle, start)
    move.every(explorer)
    explorer.controls["method"].value, explorer.controls["steps"].value = "rk4", 64
    assert "256 evaluations" in move.alt(explorer)
    assert float(move.alt(explorer).split("is ")[1].split()[0]) < 1e-8
