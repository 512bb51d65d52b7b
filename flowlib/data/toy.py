"""Toy sets in the plane, with mean 0 and standard deviations of about 1, as N(0, I) has them."""

import math

import torch

from flowlib.types import check_count


def five_points() -> torch.Tensor:
    """Five points, like those of a tilted die, for reckoning by hand. float32 `(5, 2)`.

    Their mean is exactly 0 and their covariance (divided by 5) exactly I.
    """
    return torch.tensor([[-1.5, 0.5], [-0.5, -1.5], [0.0, 0.0], [0.5, 1.5], [1.5, -0.5]])


def eight_gaussians(n: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Draw n points from eight equal Gaussians of standard deviation 0.1, on a circle. float32 `(n, 2)`.

    The radius sqrt(2 (1 - 0.1²)) = 1.41 makes the variance of each coordinate exactly 1.
    """
    n = check_count("n", n)
    noise = 0.1
    radius = math.sqrt(2 * (1 - noise**2))
    angle = torch.randint(8, (n,), generator=generator) * (2 * math.pi / 8)
    centre = radius * torch.stack([angle.cos(), angle.sin()], dim=1)
    return centre + noise * torch.randn(n, 2, generator=generator)


def two_moons(n: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Draw n points from two interleaved half circles with a little noise. float32 `(n, 2)`.

    Before scaling the upper moon is (cos a, sin a) and the lower one (1 - cos a, 1/2 - sin a), a ~ U(0, π).
    The scale 1.41 makes the mean of the two coordinates' variances 1 (the moons are wider than high).
    """
    n = check_count("n", n)
    angle = math.pi * torch.rand(n, generator=generator)
    lower = torch.randint(2, (n,), generator=generator)
    side = 1 - 2 * lower  # +1 for the upper moon, -1 for the lower
    moons = torch.stack([side * angle.cos() + lower, side * angle.sin() + lower / 2], dim=1)
    moons = moons - torch.tensor([0.5, 0.25])
    return 1.41 * (moons + 0.05 * torch.randn(n, 2, generator=generator))
