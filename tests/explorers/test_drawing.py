import sys

import pytest
import torch
from torch import nn

from flowlib import explorers
from flowlib.explorers.drawing import image_of
from flowlib.explorers.pulls import effective_number
from flowlib.models import VelocityNet, generate
from flowlib.paths import LinearPath, TrigonometricPath

HOUSE = explorers.READY_MADE["a house"]


def noise(seed):
    return torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_digit_16_r_plus_c_of_a_drawing_is_the_pixel_in_row_r_and_column_c():
    image = image_of("0" * (16 * 5 + 7) + "f" + "5" + "0" * (256 - 16 * 5 - 9))
    assert image.shape == (1, 1, 16, 16)
    assert image[0, 0, 5, 7] == 1
    assert image[0, 0, 5, 8].item() == pytest.approx(2 * 5 / 15 - 1)
    assert (image == -1).sum() == 254


BAD = ["", "0" * 255, "0" * 257, "g" + "0" * 255, "0" * 255 + "\n", "٣" * 256, "F" * 256, None, 7, [0] * 256]


@pytest.mark.parametrize("drawing", BAD, ids=ascii)
def test_what_is_no_drawing_is_refused_with_a_reason(drawing):
    with pytest.raises(ValueError, match=r"256 hexadecimal digits.*READY_MADE"):
        image_of(drawing)


@pytest.mark.parametrize("drawing", ["0" * 255, "x" * 256])
def test_a_canvas_refuses_what_is_no_drawing_and_keeps_what_it_has(drawing):
    canvas = explorers.drawing.canvas("drawing")
    with pytest.raises(ValueError, match="256 hexadecimal digits"):
        canvas.value = drawing
    assert canvas.value == explorers.READY_MADE["a three"]


def test_the_ready_made_drawings_are_drawings():
    assert all(image_of(drawing).amax() == 1 for drawing in explorers.READY_MADE.values())


def test_drawing_as_vector_follows_its_control(move, digits):
    move.every(explorers.drawing_as_vector(digits))


def test_drawing_as_vector_finds_the_nearest_of_all_digits(move, digits):
    explorer = explorers.drawing_as_vector(digits)
    explorer.controls["drawing"].value = HOUSE
    house = [2 * int(level, 16) / 15 - 1 for level in HOUSE]
    gaps = [(torch.tensor(house) - image.flatten()).square().sum().sqrt().item() for image in digits.images]
    order = sorted(range(len(digits)), key=gaps.__getitem__)[:8]
    words = move.alt(explorer)
    assert f"labelled {', '.join(str(digits.labels[i].item()) for i in order)};" in words
    assert f"distances are {', '.join(f'{gaps[i]:.1f}' for i in order)}." in words
    assert f"{sum(level != '0' for level in HOUSE)} of the 256 numbers" in words


def test_pulls_on_a_drawing_follows_its_controls(move, digits):
    move.every(explorers.pulls_on_a_drawing(digits))


def test_pulls_on_a_drawing_shows_the_weights_of_bayes_rule(move, digits):
    few = digits.only(0, 3)
    explorer = explorers.pulls_on_a_drawing(few)
    controls = explorer.controls
    controls["drawing"].value, controls["noise"].value, controls["t"].value = HOUSE, 5, 0.2
    x_t = 0.2 * image_of(HOUSE).double() + 0.8 * noise(5).double()
    heights = [torch.distributions.Normal(0.2 * a, 0.8).log_prob(x_t).sum() for a in few.images.double()]
    weights = torch.stack(heights).softmax(0)
    words = move.alt(explorer)
    assert f"{effective_number(weights[None]).item():,.1f} of 1,000" in words
    assert f"weights {', '.join(f'{w:.1%}' for w in weights.topk(8).values)}." in words


class Recorder(nn.Module):
    """A field that stands still, and remembers where it was asked."""

    def __init__(self, path):
        super().__init__()
        self.path, self.asked = path, []
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t, label):
        self.asked.append((x, t.item(), label.tolist()))
        return self.weight * x


def test_finished_drawing_follows_its_controls(move):
    move.every(explorers.finished_drawing(VelocityNet()))


@pytest.mark.parametrize("path", [LinearPath(), TrigonometricPath()], ids=lambda path: type(path).__name__)
def test_finished_drawing_starts_from_the_drawing_mixed_with_noise_and_takes_the_steps_left(path):
    model = Recorder(path)
    controls = explorers.finished_drawing(model, steps=10).controls
    controls["drawing"].value, controls["noise"].value, controls["label"].value = HOUSE, 3, 8
    model.asked.clear()
    controls["t"].value = 0.7
    t = torch.tensor([0.7])
    expected = path.alpha(t) * image_of(HOUSE) + path.sigma(t) * noise(3)
    torch.testing.assert_close(model.asked[0][0], expected)
    assert [(round(t, 6), label) for _, t, label in model.asked] == [(0.7, [8]), (0.8, [8]), (0.9, [8])]


def test_finished_drawing_told_any_asks_for_class_10_and_measures_how_far_the_drawing_went(move):
    model = Recorder(LinearPath())
    explorer = explorers.finished_drawing(model)
    assert {label for *_, (label,) in model.asked} == {10}
    explorer.controls["t"].value = 0.4
    three = image_of(explorers.READY_MADE["a three"])
    assert f"{0.6 * (noise(0) - three).norm().item():.1f} away" in move.alt(explorer)


def test_finished_drawing_at_time_0_is_what_the_noise_alone_becomes(move):
    model = VelocityNet()
    explorer = explorers.finished_drawing(model)
    explorer.controls["label"].value, explorer.controls["noise"].value = 4, 9
    explorer.controls["t"].value = 0
    made = generate(model, torch.tensor([4]), steps=25, seed=9).end
    far = (made - image_of(explorers.READY_MADE["a three"])).norm().item()
    assert f"{far:.1f} away" in move.alt(explorer)


def test_without_anywidget_there_are_ready_made_drawings_and_a_line_that_says_why(
    move, digits, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "flowlib.explorers.canvas", raising=False)
    explorer = explorers.drawing_as_vector(digits.only(3))
    assert capsys.readouterr().out.count("\n") == 1
    before = move.alt(explorer)
    explorer.controls["drawing"].value = HOUSE
    assert move.alt(explorer) != before
    assert list(explorer.controls["drawing"].options) == list(explorers.READY_MADE.items())
