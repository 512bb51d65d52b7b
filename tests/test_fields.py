"""The fields, against brute-force loops, closed-form flows and the continuity equation."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from flowlib.fields import (
    conditional_field,
    conditional_velocity,
    constant_field,
    linear_field,
    log_density,
    log_likelihood,
    marginal_field,
    posterior_mean,
    posterior_weights,
    square_field,
    square_root_field,
    velocity_variance,
)
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.solvers import solve_ode, time_grid

PATHS = [LinearPath(), TrigonometricPath()]
each_path = pytest.mark.parametrize("path", PATHS, ids=["linear", "trigonometric"])

DATA = torch.tensor([[1.0, 0.5], [-1.0, 0.8], [0.2, -1.0], [-0.6, -0.4], [0.9, -0.7]], dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def full(n: int, t: float) -> torch.Tensor:
    return torch.full((n,), t, dtype=torch.float64)


def brute_force(x, t, data, path):
    """Weights `(batch, n)` and marginal field `(batch, d)`, by Bayes' rule in a loop over points and data."""
    weights, velocities = [], []
    for point, time in zip(x, t):
        time = time[None]
        alpha, sigma = path.alpha(time).item(), path.sigma(time).item()
        d_alpha, d_sigma = path.d_alpha(time).item(), path.d_sigma(time).item()
        likelihoods, targets = [], []
        for x_1 in data:
            gaussian = Independent(Normal(alpha * x_1, sigma), 1)
            likelihoods.append(gaussian.log_prob(point).exp().item())
            targets.append(d_alpha * x_1 + d_sigma * (point - alpha * x_1) / sigma)
        evidence = sum(likelihoods)
        weights.append([likelihood / evidence for likelihood in likelihoods])
        velocities.append(sum(weight * target for weight, target in zip(weights[-1], targets)))
    return torch.tensor(weights, dtype=x.dtype), torch.stack(velocities)


@each_path
def test_the_variance_of_the_velocities_is_their_mean_squared_distance_to_the_marginal_field(path):
    x, t = normal(30, 2), 0.97 * torch.rand(30, generator=torch.Generator().manual_seed(1)).double()
    weights, field = brute_force(x, t, DATA, path)
    expected = torch.zeros(30, dtype=torch.float64)
    for i, x_1 in enumerate(DATA):
        velocity = conditional_velocity(x, t, x_1.expand(30, 2), path)
        expected += weights[:, i] * (velocity - field).square().sum(1)
    gap = (velocity_variance(x, t, DATA, path) - expected).abs() / (1 + expected)
    assert gap.max() < 1e-10


def mixture(t, data, path):
    """The marginal p_t as torch.distributions builds it; one time `()`."""
    centres = path.alpha(t) * data
    parts = Independent(Normal(centres, path.sigma(t).expand_as(centres)), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(data), dtype=data.dtype)), parts)


# Textbook fields


def test_the_constant_field_moves_every_point_along_a_straight_line():
    velocity = torch.tensor([2.0, -1.0], dtype=torch.float64)
    x_0 = normal(6, 2)
    trajectory = solve_ode(constant_field(velocity), x_0, time_grid(4), "euler")
    for t, x in zip(trajectory.ts, trajectory.xs):
        assert torch.allclose(x, x_0 + t * velocity, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "matrix",
    [
        [[-1.0, 0.0], [0.0, -1.0]],
        [[0.0, -1.0], [1.0, 0.0]],
        [[1.0, 0.0], [0.0, -1.0]],
        [[0.3, 2.0], [-0.5, -0.1]],
    ],
    ids=["contraction", "rotation", "saddle", "spiral"],
)
def test_the_flow_of_a_linear_field_is_the_matrix_exponential(matrix):
    matrix = torch.tensor(matrix, dtype=torch.float64)
    x_0 = normal(6, 2)
    trajectory = solve_ode(linear_field(matrix), x_0, time_grid(100), "rk4")
    for t, x in zip(trajectory.ts[::20], trajectory.xs[::20]):
        assert torch.allclose(x, x_0 @ torch.linalg.matrix_exp(t * matrix).T, rtol=0, atol=1e-8)


def test_the_rotation_of_the_docstring_turns_anticlockwise():
    east = torch.tensor([[1.0, 0.0]])
    north = linear_field(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))(east, torch.zeros(1))
    assert torch.equal(north, torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize(
    "solution",
    [lambda t: 0 * t, lambda t: t**2, lambda t: (t - 0.4).relu() ** 2],
    ids=["rest", "leave", "wait"],
)
def test_the_square_root_field_has_more_than_one_solution_from_zero(solution):
    t = torch.linspace(0, 1, 41, dtype=torch.float64, requires_grad=True)
    x = solution(t)
    (derivative,) = torch.autograd.grad(x.sum(), t)
    assert x[0] == 0
    assert torch.allclose(derivative, square_root_field(x[:, None], t)[:, 0], rtol=0, atol=1e-14)


def test_the_square_field_follows_its_solution_until_it_blows_up():
    x_0 = torch.tensor([[0.5], [0.8], [-2.0]], dtype=torch.float64)
    end = solve_ode(square_field, x_0, time_grid(200), "rk4").end
    assert torch.allclose(end, x_0 / (1 - x_0), rtol=1e-5, atol=0)
    with pytest.raises(ValueError, match="finite"):
        solve_ode(square_field, x_0, time_grid(200, end=3.0), "rk4")  # 0.5 blows up at t = 2


# The conditional field


def test_on_the_linear_path_the_conditional_velocity_points_at_the_data():
    x, t, x_1 = normal(7, 2), torch.linspace(0, 0.99, 7, dtype=torch.float64), normal(7, 2, seed=1)
    expected = (x_1 - x) / (1 - t)[:, None]
    assert torch.allclose(conditional_velocity(x, t, x_1, LinearPath()), expected, rtol=1e-12, atol=0)


@each_path
def test_at_the_points_of_a_path_the_conditional_velocity_is_the_velocity_of_the_path(path):
    x_0, x_1 = normal(9, 1, 4, 4), normal(9, 1, 4, 4, seed=1)
    x_t, u_t = path.sample(x_0, x_1, t := torch.linspace(0, 0.95, 9, dtype=torch.float64))
    assert torch.allclose(conditional_velocity(x_t, t, x_1, path), u_t, rtol=0, atol=1e-12)
    if isinstance(path, LinearPath):
        assert torch.allclose(conditional_velocity(x_t, t, x_1, path), x_1 - x_0, rtol=0, atol=1e-12)


@each_path
@pytest.mark.parametrize("shared", [True, False], ids=["one image for all", "one image each"])
def test_the_flow_of_the_conditional_field_is_the_path(path, shared):
    x_0 = normal(6, 3)
    x_1 = normal(3, seed=1) if shared else normal(6, 3, seed=1)
    trajectory = solve_ode(conditional_field(x_1, path), x_0, time_grid(200, end=0.9), "rk4")
    for t, x in zip(trajectory.ts[::40], trajectory.xs[::40]):
        expected = path.alpha(t) * x_1 + path.sigma(t) * x_0
        assert torch.allclose(x, expected, rtol=0, atol=1e-7)


def test_an_image_of_another_shape_is_refused_even_where_it_would_broadcast():
    x, t = normal(4, 2), full(4, 0.5)
    for x_1 in (normal(4, 1), normal(1, 2), normal(3, 2), normal(4, 2, 1)):
        with pytest.raises(ValueError, match="x_1 needs the shape of x"):
            conditional_velocity(x, t, x_1, LinearPath())
    for x_1 in (normal(3), normal(1), normal(3, 2)):
        with pytest.raises(ValueError, match="x_1 needs the shape of x"):
            conditional_field(x_1, LinearPath())(x, t)


# Posterior weights and density


@each_path
@pytest.mark.parametrize("t", [0.0, 0.3, 0.6, 0.9])
def test_posterior_weights_are_what_bayes_rule_gives(path, t):
    x = normal(8, 2)
    expected, _ = brute_force(x, full(8, t), DATA, path)
    assert torch.allclose(posterior_weights(x, full(8, t), DATA, path), expected, rtol=0, atol=1e-12)


@each_path
def test_every_point_of_a_batch_is_weighed_at_its_own_time(path):
    x, t = normal(8, 2), torch.linspace(0, 0.9, 8, dtype=torch.float64)
    expected, _ = brute_force(x, t, DATA, path)
    assert torch.allclose(posterior_weights(x, t, DATA, path), expected, rtol=0, atol=1e-12)


@each_path
def test_the_weights_of_a_point_sum_to_one(path):
    x, t = 3 * normal(50, 2), torch.linspace(0, 0.999, 50, dtype=torch.float64)
    weights = posterior_weights(x, t, DATA, path)
    assert weights.shape == (50, 5) and (weights >= 0).all()
    assert torch.allclose(weights.sum(1), torch.ones(50, dtype=torch.float64), rtol=0, atol=1e-14)


@each_path
def test_at_the_noise_end_every_image_weighs_the_same(path):
    weights = posterior_weights(normal(8, 2), full(8, 0.0), DATA, path)
    assert torch.allclose(weights, torch.full_like(weights, 1 / 5), rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_nothing_underflows_a_thousand_away_from_the_data(dtype):
    x = torch.tensor([[1000.0, 0.0], [0.0, -1000.0], [-700.0, 700.0]], dtype=dtype)
    t = torch.full((3,), 0.5, dtype=dtype)
    weights = posterior_weights(x, t, DATA.to(dtype), LinearPath())
    assert torch.allclose(weights.sum(1), torch.ones(3, dtype=dtype), rtol=0, atol=1e-6)
    assert weights.argmax(1).tolist() == [0, 2, 1]  # the image furthest in each direction
    assert marginal_field(DATA.to(dtype), LinearPath())(x, t).isfinite().all()
    if dtype == torch.float64:  # the ratio of two weights in closed form: exp((|x - a|² - |x - b|²) / 2σ²)
        gaps = (x[:, None] - DATA / 2).square().sum(2) / (2 * 0.25)
        expected = (gaps.amin(1, keepdim=True) - gaps).exp()
        assert torch.allclose(weights, expected / expected.sum(1, keepdim=True), rtol=0, atol=1e-8)


@each_path
@pytest.mark.parametrize("t", [0.0, 0.4, 0.9])
def test_log_likelihood_is_the_log_of_the_gaussian_of_each_image(path, t):
    x = normal(6, 1, 3, 3)
    data = normal(4, 1, 3, 3, seed=1)
    alpha, sigma = path.alpha(torch.tensor(t)).item(), path.sigma(torch.tensor(t)).item()
    logs = log_likelihood(x, full(6, t), data, path)
    for i in range(6):
        for j in range(4):
            expected = Normal(alpha * data[j], sigma).log_prob(x[i]).sum()
            assert logs[i, j].item() == pytest.approx(expected.item(), rel=1e-5)


@each_path
@pytest.mark.parametrize("t", [0.0, 0.3, 0.6, 0.9])
def test_log_density_is_that_of_a_gaussian_mixture(path, t):
    x, times = 2 * normal(20, 2), full(20, t)
    expected = mixture(times[0], DATA, path).log_prob(x)
    assert torch.allclose(log_density(x, times, DATA, path), expected, rtol=0, atol=1e-10)


@each_path
@pytest.mark.parametrize("t", [0.0, 0.5, 0.8])
def test_the_density_integrates_to_one(path, t):
    axis = torch.linspace(-7, 7, 281, dtype=torch.float64)
    spacing = 14 / 280
    line = log_density(axis[:, None], full(281, t), DATA[:, :1], path).exp()
    assert (line.sum() * spacing).item() == pytest.approx(1, abs=1e-10)
    plane = log_density(torch.cartesian_prod(axis, axis), full(281**2, t), DATA, path).exp()
    assert (plane.sum() * spacing**2).item() == pytest.approx(1, abs=1e-10)


# The marginal field


@each_path
@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 0.75, 0.9])
def test_the_marginal_field_is_the_weighted_sum_over_the_data(path, t):
    x, times = normal(8, 2), full(8, t)
    _, expected = brute_force(x, times, DATA, path)
    assert torch.allclose(marginal_field(DATA, path)(x, times), expected, rtol=0, atol=1e-11)


@each_path
def test_the_marginal_field_of_images_takes_one_time_per_image(path):
    data, x, t = (
        normal(7, 1, 4, 4),
        normal(5, 1, 4, 4, seed=1),
        torch.linspace(0, 0.8, 5, dtype=torch.float64),
    )
    _, expected = brute_force(x.flatten(1), t, data.flatten(1), path)
    assert torch.allclose(marginal_field(data, path)(x, t), expected.view(5, 1, 4, 4), rtol=0, atol=1e-11)


def residual_and_size(field, path, t):
    """∂p/∂t + div(p u) at some points by autograd, and how large its two terms are."""
    x = normal(40, 2, seed=2).requires_grad_()
    t = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    change = torch.stack([torch.autograd.grad(mixture(t, DATA, path).log_prob(p).exp(), t)[0] for p in x])
    current = mixture(t, DATA, path).log_prob(x).exp()[:, None] * field(x, t.expand(40))
    divergence = sum(
        torch.autograd.grad(current[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(x.shape[1])
    )
    return (change + divergence).abs().max().item(), change.abs().max().item()


@each_path
@pytest.mark.parametrize("t", [0.0, 0.2, 0.5, 0.8])
def test_the_marginal_field_moves_its_own_density(path, t):
    residual, size = residual_and_size(marginal_field(DATA, path), path, t)
    assert residual < 1e-10
    assert size > 0.02


@each_path
def test_the_continuity_equation_notices_a_field_that_is_not_the_right_one(path):
    def unweighted(x, t):
        return conditional_velocity(x, t, DATA.mean(0).expand_as(x), path)

    assert residual_and_size(unweighted, path, 0.5)[0] > 0.05


@each_path
def test_the_marginal_field_carries_noise_to_the_data(path):
    trajectory = solve_ode(marginal_field(DATA, path), normal(200, 2), time_grid(100, end=0.999), "rk4")
    nearest = torch.cdist(trajectory.end, DATA).min(1)
    assert nearest.values.max() < 0.02
    assert len(nearest.indices.unique()) == 5


@each_path
def test_a_single_image_has_its_conditional_field_as_marginal(path):
    x, t = normal(6, 2), torch.linspace(0, 0.9, 6, dtype=torch.float64)
    expected = conditional_field(DATA[0], path)(x, t)
    assert torch.allclose(marginal_field(DATA[:1], path)(x, t), expected, rtol=0, atol=1e-12)
    assert torch.equal(posterior_weights(x, t, DATA[:1], path), torch.ones(6, 1, dtype=torch.float64))


@each_path
def test_an_image_that_is_there_twice_counts_twice(path):
    x, t = normal(6, 2), full(6, 0.6)
    doubled = torch.cat([DATA, DATA[:1]])
    weights = posterior_weights(x, t, doubled, path)
    assert torch.allclose(weights[:, 0], weights[:, 5], rtol=0, atol=1e-15)
    once = posterior_weights(x, t, DATA, path)
    merged = torch.cat([2 * once[:, :1], once[:, 1:]], dim=1)
    expected = merged / merged.sum(1, keepdim=True)
    assert torch.allclose(weights[:, :5] + torch.eye(5)[0] * weights[:, 5:], expected, rtol=0, atol=1e-14)
    everything_twice = marginal_field(torch.cat([DATA, DATA]), path)(x, t)
    assert torch.allclose(everything_twice, marginal_field(DATA, path)(x, t), rtol=0, atol=1e-13)


# Working through the data in pieces


@pytest.fixture
def pieces(monkeypatch):
    """The sizes of the pieces of data that the fields work through."""
    sizes = []

    split = torch.Tensor.split

    def counted(data, rows):
        sizes.extend(len(piece) for piece in split(data, rows))
        return split(data, rows)

    monkeypatch.setattr(torch.Tensor, "split", counted)
    return sizes


@each_path
def test_the_pieces_do_not_change_the_posterior_mean(path, pieces):
    data, x = normal(101, 2), 2 * normal(7, 2, seed=1)
    t = torch.linspace(0, 0.98, 7, dtype=torch.float64)
    expected = posterior_weights(x, t, data, path) @ data
    counts = set()
    for memory_mb in (0.0008, 0.001, 0.002, 0.003, 0.006, 0.012, 1, 256):
        pieces.clear()
        assert torch.allclose(posterior_mean(x, t, data, path, memory_mb), expected, rtol=0, atol=1e-12)
        assert sum(pieces) == 101
        counts.add(len(pieces))
    assert (
        1 in counts and max(counts) > 30 and len(counts) >= 5
    )  # 101 is prime: the last piece is a remainder


def test_the_pieces_do_not_change_it_where_later_images_are_far_more_likely(pieces):
    data = torch.linspace(-50, 50, 101, dtype=torch.float64)[:, None]
    x, t = torch.tensor([[24.75], [-24.75], [1000.0]], dtype=torch.float64), full(3, 0.5)
    in_pieces = posterior_mean(x, t, data, LinearPath(), memory_mb=0.0004)
    assert len(pieces) > 10
    expected = posterior_weights(x, t, data, LinearPath()) @ data
    assert torch.allclose(in_pieces, expected, rtol=0, atol=1e-11)


@each_path
def test_the_gradients_go_through_the_pieces(path, pieces):
    """Against finite differences, in the points, the times and the data."""
    x, t = normal(3, 2).requires_grad_(), torch.tensor([0.1, 0.5, 0.7], dtype=torch.float64).requires_grad_()
    data = DATA.clone().requires_grad_()
    torch.autograd.gradcheck(lambda *given: posterior_mean(*given, path, memory_mb=0.0004), (x, t, data))
    assert max(pieces) < 5


@each_path
@pytest.mark.parametrize(("t", "tolerance"), [(0.0, 1e-6), (0.5, 1e-4), (0.8, 2e-3)])
def test_in_float32_the_posterior_mean_of_digits_is_that_of_float64(path, t, tolerance, digits):
    """The tolerance is a rounding of 1e-7 in exponents of the size ‖α x_1‖² / σ², about 200 α² / σ²."""
    data, times = digits.images[:2000], torch.full((32,), t)
    between = (data[:32] + data[32:64]) / 2  # so that more than one image has weight
    x, _ = path.sample(normal(32, 1, 16, 16).float(), between, times)
    expected = posterior_mean(x.double(), times.double(), data.double(), path)
    torch.testing.assert_close(
        posterior_mean(x, times, data, path).double(), expected, rtol=0, atol=tolerance
    )


def test_memory_that_does_not_hold_a_single_image_is_refused():
    with pytest.raises(ValueError, match=r"memory_mb = 1e-05 .*7 points"):
        posterior_mean(normal(7, 2), full(7, 0.5), DATA, LinearPath(), memory_mb=1e-5)


class PeakMemory(TorchFunctionMode):
    """Counts the bytes of all tensors that are made inside and are alive, and remembers the most."""

    def __init__(self, *outside):
        super().__init__()
        self.outside = {tensor.untyped_storage().data_ptr() for tensor in outside}
        self.alive, self.peak = {}, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple) else (result,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in self.outside:
                    self.alive[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()
        self.alive = {key: (ref, size) for key, (ref, size) in self.alive.items() if not ref.expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return result


@pytest.mark.parametrize("batch", [1, 16, 128])
@pytest.mark.parametrize("memory_mb", [0.3, 0.5])  # with more, the pieces end at the size of a cache
def test_the_working_memory_stays_below_memory_mb_for_20000_images(batch, memory_mb):
    generator = torch.Generator().manual_seed(0)
    data, x = torch.randn(20_000, 64, generator=generator), torch.randn(batch, 64, generator=generator)
    t = torch.full((batch,), 0.5)
    with PeakMemory(data, x, t) as memory:
        marginal_field(data, LinearPath(), memory_mb)(x, t)
    assert 0.5 * memory_mb < memory.peak / 1e6 <= memory_mb


# What cannot be answered


@each_path
@pytest.mark.parametrize("t", [1.0, 1 - 1e-7])
def test_at_the_data_end_the_exact_fields_refuse_and_name_the_remedy(path, t):
    x, times = normal(5, 2), torch.tensor([0.0, 0.5, t, 0.5, 0.0], dtype=torch.float64)
    for call in (
        lambda: conditional_velocity(x, times, DATA, path),
        lambda: conditional_field(DATA[0], path)(x, times),
        lambda: log_likelihood(x, times, DATA, path),
        lambda: posterior_weights(x, times, DATA, path),
        lambda: log_density(x, times, DATA, path),
        lambda: posterior_mean(x, times, DATA, path),
        lambda: marginal_field(DATA, path)(x, times),
        lambda: velocity_variance(x, times, DATA, path),
    ):
        with pytest.raises(ValueError, match=r"t = 1.*time_grid\(50, end=0\.99\)"):
            call()


def test_euler_reaches_the_data_end_because_it_never_asks_there():
    end = solve_ode(marginal_field(DATA, LinearPath()), normal(20, 2), time_grid(50), "euler").end
    assert torch.cdist(end, DATA).min(1).values.max() < 1e-3
    with pytest.raises(ValueError, match="time_grid"):
        solve_ode(marginal_field(DATA, LinearPath()), normal(20, 2), time_grid(50), "heun")


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_a_time_outside_zero_to_one_is_refused(t):
    with pytest.raises(ValueError, match="time_grid"):
        marginal_field(DATA, LinearPath())(normal(3, 2), full(3, t))


def test_times_of_another_shape_are_refused_with_the_remedy():
    for t in (torch.tensor(0.5), full(1, 0.5), full(2, 0.5), full(3, 0.5)[:, None]):
        with pytest.raises(ValueError, match=r"shape \(3,\)"):
            marginal_field(DATA, LinearPath())(normal(3, 2), t)


@pytest.mark.parametrize(
    "data", [DATA[:0], DATA[:, :1], DATA[0], DATA[:, :, None]], ids=lambda d: str(tuple(d.shape))
)
def test_data_that_does_not_fit_is_refused(data):
    for call in (log_likelihood, posterior_weights, posterior_mean, log_density):
        with pytest.raises(ValueError, match=r"shape of x, \(2,\)"):
            call(normal(3, 2), full(3, 0.5), data, LinearPath())


def test_data_of_another_precision_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"data\.to\(x\.dtype\)"):
        marginal_field(DATA.float(), LinearPath())(normal(3, 2), full(3, 0.5))


@each_path
def test_times_from_time_grid_work_with_float32_points(path):
    x, t = normal(4, 2), time_grid(8)[3].expand(4)
    exact = marginal_field(DATA, path)(x, t)
    single = marginal_field(DATA.float(), path)(x.float(), t)
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), exact, rtol=0, atol=1e-5)


def test_no_points_are_moved_nowhere():
    assert marginal_field(DATA, LinearPath())(normal(0, 2), full(0, 0.5)).shape == (0, 2)
