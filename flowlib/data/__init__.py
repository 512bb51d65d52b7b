"""Data: 16×16 MNIST digits (5,000 bundled, all 70,000 on request) and 2-D toy sets."""

from flowlib.data.digits import Digits, load_digits
from flowlib.data.resize import area_average
from flowlib.data.toy import eight_gaussians, five_points, two_moons

__all__ = ["Digits", "area_average", "eight_gaussians", "five_points", "load_digits", "two_moons"]
