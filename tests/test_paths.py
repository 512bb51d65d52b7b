"""The conditional paths, against closed forms and automatic differentiation."""

import math

import pytest
import torch
from torch.autograd.functional import jvp

from flowlib.paths import AffinePath, LinearPath, TrigonometricPath

PATHS = [LinearPath(), TrigonometricPath()]
each_path = pytest.mark.parametrize("path", PATHS, ids=["linear", "trigonometric"])


def pairs(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))


def times(n: int) -> torch.Tensor:
    """Random times with both ends among them."""
    inner = torch.rand(n - 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.cat(
        [torch.tensor([0.0], dtype=torch.float64), inner, torch.tensor([1.0], dtype=torch.float64)]
    )


@each_path
def test_a_path_starts_at_the_noise_and_ends_at_the_data(path):
    x_0, x_1 = pairs(8, 2)
    start, _ = path.sample(x_0, x_1, torch.zeros(8, dtype=torch.float64))
    end, _ = path.sample(x_0, x_1, torch.ones(8, dtype=torch.float64))
    assert torch.allclose(start, x_0, rtol=0, atol=1e-15)
    assert torch.allclose(end, x_1, rtol=0, atol=1e-15)


@each_path
def test_a_batch_equals_a_loop_over_its_points_each_at_its_own_time(path):
    x_0, x_1 = pairs(8, 3)
    t = times(8)
    x_t, u_t = path.sample(x_0, x_1, t)
    for i, s in enumerate(t.tolist()):
        if isinstance(path, LinearPath):
            alpha, sigma, d_alpha, d_sigma = s, 1 - s, 1.0, -1.0
        else:
            angle = math.pi * s / 2
            alpha, sigma = math.sin(angle), math.cos(angle)
            d_alpha, d_sigma = math.pi / 2 * math.cos(angle), -math.pi / 2 * math.sin(angle)
        for j in range(3):
            noise, data = x_0[i, j].item(), x_1[i, j].item()
            assert x_t[i, j].item() == pytest.approx(alpha * data + sigma * noise, abs=1e-14)
            assert u_t[i, j].item() == pytest.approx(d_alpha * data + d_sigma * noise, abs=1e-14)


@each_path
def test_the_velocity_is_the_time_derivative_of_the_path(path):
    x_0, x_1 = pairs(8, 2)
    t = times(8)
    _, derivative = jvp(lambda s: path.sample(x_0, x_1, s)[0], t, torch.ones_like(t))
    assert torch.allclose(path.sample(x_0, x_1, t)[1], derivative, rtol=0, atol=1e-14)


@each_path
@pytest.mark.parametrize("schedule", ["alpha", "sigma"])
def test_each_schedule_has_the_derivative_that_autograd_finds(path, schedule):
    t = times(8)
    _, derivative = jvp(getattr(path, schedule), t, torch.ones_like(t))
    assert torch.allclose(getattr(path, f"d_{schedule}")(t), derivative, rtol=0, atol=1e-14)


@each_path
@pytest.mark.parametrize("shape", [(8, 2), (8, 1, 4, 4)], ids=str)
def test_position_and_velocity_give_the_data_away_at_every_time(path, shape):
    x_0, x_1 = pairs(*shape)
    t = times(8)
    assert torch.allclose(path.endpoint(*path.sample(x_0, x_1, t), t), x_1, rtol=0, atol=1e-14)


def test_on_the_linear_path_the_endpoint_lies_one_straight_step_ahead():
    x_t, u_t = pairs(8, 2)
    t = times(8)
    assert torch.allclose(
        LinearPath().endpoint(x_t, u_t, t), x_t + (1 - t)[:, None] * u_t, rtol=0, atol=1e-15
    )


def test_on_the_linear_path_the_velocity_is_data_minus_noise_at_every_time():
    x_0, x_1 = pairs(8, 2)
    _, u_t = LinearPath().sample(x_0, x_1, times(8))
    assert torch.equal(u_t, x_1 - x_0)


def test_on_the_trigonometric_path_the_squared_schedules_sum_to_one():
    t, path = times(50), TrigonometricPath()
    assert torch.allclose(path.alpha(t) ** 2 + path.sigma(t) ** 2, torch.ones_like(t), rtol=0, atol=1e-15)


@each_path
@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 256), (5, 1, 16, 16)], ids=str)
def test_the_shape_of_a_point_does_not_matter(path, shape):
    x_0, x_1 = pairs(*shape)
    t = times(5)
    x_t, u_t = path.sample(x_0, x_1, t)
    flat_x_t, flat_u_t = path.sample(x_0.reshape(5, -1), x_1.reshape(5, -1), t)
    assert x_t.shape == u_t.shape == shape
    assert torch.equal(x_t, flat_x_t.reshape(shape))
    assert torch.equal(u_t, flat_u_t.reshape(shape))


@each_path
def test_the_points_decide_the_dtype_whatever_the_times_are(path):
    x_0, x_1 = pairs(8, 2)
    exact, exact_u = path.sample(x_0, x_1, times(8))
    x_t, u_t = path.sample(x_0.float(), x_1.float(), times(8))
    assert x_t.dtype == u_t.dtype == torch.float32
    assert torch.allclose(x_t.double(), exact, rtol=0, atol=1e-6)
    assert torch.allclose(u_t.double(), exact_u, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 1), (1, 3)], ids=str)
def test_one_time_per_sample_is_asked_for_by_name(shape):
    x_0, x_1 = pairs(3, 2)
    with pytest.raises(ValueError, match=r"shape \(3,\).*expand\(len\(x\)\)"):
        LinearPath().sample(x_0, x_1, torch.full(shape, 0.5, dtype=torch.float64))


def test_a_time_that_is_a_plain_number_is_refused_with_the_remedy():
    x_0, x_1 = pairs(3, 2)
    with pytest.raises(ValueError, match=r"0\.25.*torch\.full"):
        LinearPath().sample(x_0, x_1, 0.25)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, 25.0, math.nan, math.inf, -math.inf])
@each_path
def test_a_time_outside_zero_to_one_is_refused_and_named(path, wrong):
    x_0, x_1 = pairs(3, 2)
    with pytest.raises(ValueError, match=rf"holds {wrong:g}; .*time_grid"):
        path.sample(x_0, x_1, torch.tensor([0.0, wrong, 1.0], dtype=torch.float64))


def test_the_rounding_of_a_float32_time_at_the_ends_is_forgiven():
    x_0, x_1 = pairs(2, 2)
    beyond = torch.tensor([-1.2e-7, 1 + 1.2e-7])
    x_t, _ = LinearPath().sample(x_0, x_1, beyond)
    assert torch.allclose(x_t, torch.stack([x_0[0], x_1[1]]), rtol=0, atol=1e-6)


def test_noise_of_another_shape_is_refused_even_where_it_would_broadcast():
    x_0, x_1 = pairs(3, 2)
    for noise in (x_0[:1], x_0[:, :1], x_0[0], x_0[:2]):
        with pytest.raises(ValueError, match="randn_like"):
            LinearPath().sample(noise, x_1, times(3))


def test_integer_images_are_refused_and_never_meet_a_truncated_schedule():
    images = torch.full((3, 4), 255, dtype=torch.uint8)
    with pytest.raises(ValueError, match="float"):
        LinearPath().sample(images, images, times(3))


def test_a_new_path_needs_its_four_schedules_and_nothing_else():
    class SlowStart(AffinePath):
        def alpha(self, t):
            return t**2

        def sigma(self, t):
            return 1 - t**2

        def d_alpha(self, t):
            return 2 * t

        def d_sigma(self, t):
            return -2 * t

    x_0, x_1 = pairs(4, 2)
    t = times(4)
    x_t, u_t = SlowStart().sample(x_0, x_1, t)
    assert torch.allclose(x_t, LinearPath().sample(x_0, x_1, t**2)[0], rtol=0, atol=1e-15)
    assert torch.allclose(u_t, 2 * t[:, None] * (x_1 - x_0), rtol=0, atol=1e-15)
    with pytest.raises(NotImplementedError):
        AffinePath().sample(x_0, x_1, t)
