"""Lesson 09: what its explorers say, and how its exercises answer."""

import numpy as np
import pytest
import torch
from torch import nn

from flowlib.lessons import lesson_09
from flowlib.lessons.drawings import READY_MADE, image_of
from flowlib.models import VelocityNet, generate
from flowlib.paths import LinearPath, TrigonometricPath

HOUSE = READY_MADE["a house"]


class Recorder(nn.Module):
    """A field that stands still, and remembers where it was asked."""

    def __init__(self, path):
        super().__init__()
        self.path, self.asked = path, []
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t, label):
        self.asked.append((x, t.item(), label.tolist()))
        return self.weight * x


@pytest.mark.parametrize("path", [LinearPath(), TrigonometricPath()], ids=lambda path: type(path).__name__)
def test_finished_drawing_starts_from_the_drawing_mixed_with_noise_and_takes_the_steps_left(path, noise):
    model = Recorder(path)
    controls = lesson_09.finished_drawing(model, steps=10).controls
    controls["drawing"].value, controls["noise"].value, controls["label"].value = HOUSE, 3, 8
    model.asked.clear()
    controls["t"].value = 0.7
    t = torch.tensor([0.7])
    expected = path.alpha(t) * image_of(HOUSE) + path.sigma(t) * noise(3)
    torch.testing.assert_close(model.asked[0][0], expected)
    assert [(round(t, 6), label) for _, t, label in model.asked] == [(0.7, [8]), (0.8, [8]), (0.9, [8])]


def test_finished_drawing_told_any_asks_for_class_10_and_measures_how_far_the_drawing_went(move, noise):
    model = Recorder(LinearPath())
    explorer = lesson_09.finished_drawing(model)
    assert {label for *_, (label,) in model.asked} == {10}
    explorer.controls["t"].value = 0.4
    three = image_of(READY_MADE["a three"])
    assert f"{0.6 * (noise(0) - three).norm().item():.1f} away" in move.alt(explorer)


def test_finished_drawing_at_time_0_is_what_the_noise_alone_becomes(move):
    model = VelocityNet()
    explorer = lesson_09.finished_drawing(model)
    explorer.controls["label"].value, explorer.controls["noise"].value = 4, 9
    explorer.controls["t"].value = 0
    made = generate(model, torch.tensor([4]), steps=25, seed=9).end
    far = (made - image_of(READY_MADE["a three"])).norm().item()
    assert f"{far:.1f} away" in move.alt(explorer)


def test_target_of_a_pair(try_exercise):
    right = [[-4, 2], (-4.0, 2.0), np.array([-4, 2])]
    try_exercise(lesson_09.target_of_a_pair, right, {(4, -2): "back to the noise", (2, 0): "bracket"})


def test_where_a_pixel_is_heading(try_exercise):
    wrong = {1.1: "time that is left", 1.7: "0.6 of it is over"}
    try_exercise(lesson_09.where_a_pixel_is_heading, [0.8, 0.2 + 0.4 * 1.5], wrong)


def test_end_of_51_steps(try_exercise):
    wrong = {1.0: "50 steps would", 0.98: "49 steps would", 51: "number of steps"}
    try_exercise(lesson_09.end_of_51_steps, [1.02, 51 / 50], wrong)
