"""From no image to 60,000: what a dataset of any size gives, duplicates included."""

import pytest
import torch

from flowlib.data import Digits
from flowlib.fields import marginal_field, posterior_mean, posterior_weights, velocity_variance
from flowlib.gaussians import FLOOR, NO_CLASS, ClassGaussians
from flowlib.models import VelocityNet, generate
from flowlib.paths import LinearPath
from flowlib.solvers import solve_ode, time_grid
from flowlib.training import Training

PATH = LinearPath()


def first(digits, n, copies=1):
    return Digits(digits.images[:n].repeat(copies, 1, 1, 1), digits.labels[:n].repeat(copies))


def points(n=4):
    x = torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return x, torch.tensor([0.0, 0.3, 0.9, 0.999])[:n]


def test_60000_images_that_are_five_copied_have_the_field_of_the_five(digits):
    (x, t), five = points(), first(digits, 5).images
    many = five.repeat(12_000, 1, 1, 1)
    torch.testing.assert_close(
        posterior_mean(x, t, many, PATH), posterior_mean(x, t, five, PATH), atol=1e-5, rtol=0
    )
    weights = posterior_weights(x, t, many, PATH).view(4, 12_000, 5).sum(1)
    torch.testing.assert_close(weights, posterior_weights(x, t, five, PATH), atol=1e-4, rtol=0)


def test_60000_images_that_are_5000_copied_have_their_gaussians(digits):
    """Means agree, and variances but for the n - 1 that they are divided by."""
    once, often = ClassGaussians(), ClassGaussians()
    once.fit(digits)
    often.fit(first(digits, 5000, copies=12))
    torch.testing.assert_close(often.mean, once.mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(often.variance, once.variance, rtol=3e-3, atol=0)  # 499/500 · 6000/5999


def test_copies_of_one_image_vary_by_the_floor_alone_and_everything_leads_to_it(digits):
    same = first(digits, 1, copies=50)
    gaussians = ClassGaussians()
    gaussians.fit(same)
    assert (gaussians.variance == FLOOR**2).all()
    x, _ = points()
    t, label = torch.tensor([0.0, 0.3, 0.9, 1.0]), torch.full((4,), NO_CLASS)
    assert gaussians(x, t, label).isfinite().all()
    grid = time_grid(50, end=0.99)
    end = solve_ode(marginal_field(same.images, PATH), x, grid).end
    expected = 0.99 * same.images[:4] + 0.01 * x  # the line from x to the image
    torch.testing.assert_close(end, expected, atol=1e-4, rtol=0)
    assert velocity_variance(x.double(), t * 0.9, same.images.double(), PATH).max() < 1e-9


@pytest.mark.parametrize("n", [2, 3])
def test_a_training_on_two_images_runs_and_samples(digits, n):
    training = Training(first(digits, n), VelocityNet(fine=8, coarse=8, context=8))
    training.network.gaussians.fit(first(digits, n))
    list(training.run(steps=2))
    assert generate(training.model, torch.tensor([0, 1, NO_CLASS]), steps=3).end.isfinite().all()


def test_a_training_on_one_image_needs_a_model_of_the_readers_own(digits):
    with pytest.raises(ValueError, match="at least 2 digits, but there are 1"):
        Training(first(digits, 1))
    training = Training(first(digits, 1), VelocityNet(fine=8, coarse=8, context=8))
    list(training.run(steps=2))
    assert generate(training.model, torch.tensor([0]), steps=3).end.isfinite().all()
