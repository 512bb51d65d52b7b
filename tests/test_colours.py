"""The colours of the figures: they stand out on paper, and from one another for every kind of eye."""

import re
from itertools import combinations
from pathlib import Path

import build
import numpy as np
import pytest

import flowlib
from flowlib.plots import CLASSES, DATA, EXACT, LEARNED, MARK, MARKERS, NOISE

MEANINGS = {"noise": NOISE, "data": DATA, "exact": EXACT, "learned": LEARNED, "mark": MARK}

# What an eye that lacks one kind of cone sees of linear RGB, and one that has all three.
# Source: Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1.
EYES = {
    "protanopia": "0.152286 1.052583 -0.204868  0.114503 0.786281 0.099216  -0.003882 -0.048116 1.051998",
    "deuteranopia": "0.367322 0.860646 -0.227968  0.280085 0.672501 0.047413  -0.011820 0.042940 0.968881",
    "tritanopia": "1.255528 -0.076749 -0.178779  -0.078411 0.930809 0.147602  0.004733 0.691367 0.303900",
    "all cones": "1 0 0  0 1 0  0 0 1",
}
EYES = {eye: np.array(numbers.split(), float).reshape(3, 3) for eye, numbers in EYES.items()}
each_eye = pytest.mark.parametrize("eye", EYES)

# CIE XYZ of linear sRGB, D65. Source: IEC 61966-2-1:1999.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(colour):
    """Linear RGB in [0, 1] of a colour like "#1d4ed8". Source: WCAG 2.2, "relative luminance"."""
    levels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def contrast_with_white(colour):
    """From 1 to 21. Source: WCAG 2.2, "contrast ratio"."""
    return 1.05 / (linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05)


def lab(rgb):
    """CIELAB of linear RGB; a distance of 2.3 in it is just noticeable. Source: CIE 15:2004."""
    share = XYZ @ rgb.clip(0, 1) / XYZ.sum(1)
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / 3 / (6 / 29) ** 2 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours, eye):
    """The two colours that look most alike to `eye`: (their distance, their names)."""
    seen = {name: lab(EYES[eye] @ linear(colour)) for name, colour in colours.items()}
    return min((np.linalg.norm(seen[a] - seen[b]), a, b) for a, b in combinations(seen, 2))


def test_the_measures_know_black_white_and_red():
    assert [contrast_with_white(c) for c in ("#ffffff", "#000000")] == pytest.approx([1, 21])
    assert contrast_with_white("#767676") == pytest.approx(
        4.54, abs=0.005
    )  # the greyest text that WCAG allows
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    for matrix in EYES.values():
        assert matrix @ np.ones(3) == pytest.approx(np.ones(3), abs=1e-5)  # white is white to every eye


@pytest.mark.parametrize("colour", [*MEANINGS.values(), *CLASSES])
def test_every_colour_stands_out_from_paper_as_text_must(colour):
    assert contrast_with_white(colour) >= 4.5


def test_no_figure_has_a_faint_colour_of_its_own():
    for path in (*Path(flowlib.__file__).parent.rglob("*.py"), *build.SOURCES):
        for colour in re.findall(r'"(#[0-9a-f]{6})"', path.read_text("utf-8")):
            assert contrast_with_white(colour) >= 3, f"{colour} in {path.name}"


@each_eye
def test_what_has_a_meaning_looks_unlike_all_else_that_has_one(eye):
    distance, *pair = nearest(MEANINGS, eye)
    assert distance >= 20, pair  # nine times what is just noticeable


@each_eye
def test_classes_differ_by_colour_and_by_marker(eye):
    distance, *pair = nearest({**dict(zip("012", CLASSES)), "black": "#000000"}, eye)
    assert distance >= 20, pair
    assert len(set(MARKERS)) == len(CLASSES)
