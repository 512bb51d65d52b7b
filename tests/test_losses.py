"""The two objectives, on data few enough to list: each expectation is a sum over a grid, nothing is drawn."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from flowlib import losses
from flowlib.fields import conditional_velocity, marginal_field
from flowlib.losses import cfm_loss, fm_loss, logit_normal_times, squared_norm, stratified_times
from flowlib.paths import AffinePath, LinearPath, TrigonometricPath

each_path = pytest.mark.parametrize(
    "path", [LinearPath(), TrigonometricPath()], ids=["linear", "trigonometric"]
)
each_dimension = pytest.mark.parametrize("dimension", [1, 2])

DATA = torch.tensor([[0.9, -0.3], [-0.5, 0.7], [0.1, -1.0]], dtype=torch.float64)
TIMES = [0.0, 0.3, 0.6, 0.9]
SPACING = {1: 0.3, 2: 0.7}  # of the grid, in units of σ_t


class Network(nn.Module):
    """A small network v(x, t) in float64."""

    def __init__(self, dimension: int, seed: int):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(dimension + 1, 7), nn.Tanh(), nn.Linear(7, dimension)
            ).double()

    def forward(self, x, t):
        return self.layers(torch.cat([x, t[:, None]], dim=1))


@dataclass(frozen=True)
class Weighted(AffinePath):
    """A path with its velocities multiplied by a number per point: a loss then weighs point i by root_i²."""

    path: AffinePath
    root: torch.Tensor

    def alpha(self, t):
        return self.path.alpha(t)

    def sigma(self, t):
        return self.path.sigma(t)

    def d_alpha(self, t):
        return self.root * self.path.d_alpha(t)

    def d_sigma(self, t):
        return self.root * self.path.d_sigma(t)


def grids(path, data):
    """For each time: a regular grid where p_t lives, and the mass p_t(x | x_1) of its cells, `(n, cells)`."""
    dimension = data.shape[1]
    for t in torch.tensor(TIMES, dtype=torch.float64):
        alpha, sigma = path.alpha(t), path.sigma(t)
        reach, step = 1 + 7 * sigma.item(), SPACING[dimension] * sigma.item()
        axis = torch.arange(-reach, reach, step, dtype=torch.float64)
        x = torch.stack(torch.meshgrid(*[axis] * dimension, indexing="ij"), dim=-1).reshape(-1, dimension)
        mass = Normal(alpha * data[:, None], sigma).log_prob(x).sum(2).exp() * step**dimension
        assert torch.allclose(mass.sum(1), torch.ones_like(mass[:, 0]), rtol=0, atol=1e-9)
        yield t, x, mass


def objectives(model, path, dimension, target_path=None):
    """FM and CFM over the whole of `DATA`: the losses of the points of all grids, weighed by mass."""
    data = DATA[:, :dimension]
    nodes = [
        (x, x_1.expand_as(x), t.expand(len(x)), masses / len(data) / len(TIMES))
        for t, x, mass in grids(path, data)
        for x_1, masses in zip(data, mass)
    ]
    x, x_1, t, weight = (torch.cat(parts) for parts in zip(*nodes))
    x_0 = (x - path.alpha(t)[:, None] * x_1) / path.sigma(t)[:, None]
    root, field = weight.sqrt(), marginal_field(data, path)

    def weighted(velocity):
        return lambda x, t: root[:, None] * velocity(x, t)

    fm = fm_loss(weighted(model), weighted(field), x, t) * len(x)
    cfm = cfm_loss(weighted(model), x_0, x_1, t, Weighted(target_path or path, root)) * len(x)
    return fm, cfm


def conditional_variance(path, dimension):
    """E ‖u_t(x | x_1) - u_t(x)‖², in a loop that knows nothing of flowlib's weights or losses."""
    data, total = DATA[:, :dimension], 0.0
    for t, x, mass in grids(path, data):
        velocities = [
            path.d_alpha(t) * x_1 + path.d_sigma(t) * (x - path.alpha(t) * x_1) / path.sigma(t)
            for x_1 in data
        ]
        mean = sum(m[:, None] * velocity for m, velocity in zip(mass, velocities)) / mass.sum(0)[:, None]
        for m, velocity in zip(mass, velocities):
            total += (m * (velocity - mean).square().sum(1)).sum().item()
    return total / len(data) / len(TIMES)


class FlippedPath(LinearPath):
    """The linear path with the sign of its velocity wrong: x_0 - x_1."""

    def d_alpha(self, t):
        return -torch.ones_like(t)

    def d_sigma(self, t):
        return torch.ones_like(t)


@each_path
@each_dimension
def test_cfm_has_the_gradient_of_fm_in_every_parameter(path, dimension):
    model = Network(dimension, seed=0)
    fm, cfm = objectives(model, path, dimension)
    by_fm = torch.autograd.grad(fm, list(model.parameters()))
    by_cfm = torch.autograd.grad(cfm, list(model.parameters()))
    for (name, _), left, right in zip(model.named_parameters(), by_fm, by_cfm):
        assert torch.allclose(left, right, rtol=0, atol=1e-11), name
        assert left.abs().max() > 1e-3, name


@each_path
@each_dimension
def test_cfm_exceeds_fm_by_the_conditional_variance_whatever_the_parameters(path, dimension):
    constant = conditional_variance(path, dimension)
    assert constant > 0.1
    with torch.no_grad():
        for seed in (1, 2):
            fm, cfm = objectives(Network(dimension, seed), path, dimension)
            assert (cfm - fm).item() == pytest.approx(constant, abs=1e-10)


def test_with_the_sign_of_the_target_wrong_the_gradients_part():
    model = Network(1, seed=0)
    fm, cfm = objectives(model, LinearPath(), 1, target_path=FlippedPath())
    by_fm = torch.autograd.grad(fm, list(model.parameters()))
    by_cfm = torch.autograd.grad(cfm, list(model.parameters()))
    assert max((left - right).abs().max().item() for left, right in zip(by_fm, by_cfm)) > 0.1


@each_path
def test_the_exact_field_has_no_fm_loss_and_the_conditional_variance_as_cfm_loss(path):
    with torch.no_grad():
        fm, cfm = objectives(marginal_field(DATA[:, :1], path), path, 1)
    assert fm.item() == pytest.approx(0, abs=1e-20)
    assert cfm.item() == pytest.approx(conditional_variance(path, 1), abs=1e-10)


def batch_of_images(n=6):
    generator = torch.Generator().manual_seed(0)
    x_0, x_1 = (torch.randn(n, 1, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return x_0, x_1, torch.rand(n, generator=generator, dtype=torch.float64)


def bent(x, t):
    return x.sin() + t.view(-1, 1, 1, 1)


@each_path
def test_cfm_loss_is_the_mean_over_samples_of_a_sum_over_pixels(path):
    x_0, x_1, t = batch_of_images()
    total = 0.0
    for noise, image, time in zip(x_0, x_1, t):
        x_t = path.alpha(time) * image + path.sigma(time) * noise
        target = path.d_alpha(time) * image + path.d_sigma(time) * noise
        for velocity, wanted in zip((x_t.sin() + time).flatten().tolist(), target.flatten().tolist()):
            total += (velocity - wanted) ** 2
    loss = cfm_loss(bent, x_0, x_1, t, path)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(total / len(t), rel=1e-12)


def test_the_linear_path_is_the_default():
    x_0, x_1, t = batch_of_images()
    assert torch.equal(cfm_loss(bent, x_0, x_1, t), cfm_loss(bent, x_0, x_1, t, LinearPath()))


def test_fm_loss_is_the_mean_over_samples_of_a_sum_over_pixels():
    x, x_1, t = batch_of_images()

    def field(x, t):
        return conditional_velocity(x, t, x_1, LinearPath())

    difference = (bent(x, t) - field(x, t)).flatten(1).tolist()
    expected = sum(d**2 for row in difference for d in row) / len(t)
    assert fm_loss(bent, field, x, t).item() == pytest.approx(expected, rel=1e-12)


def test_squared_norm_sums_over_everything_but_the_batch():
    x, _, _ = batch_of_images()
    expected = [sum(value**2 for value in row) for row in x.flatten(1).tolist()]
    assert squared_norm(x).tolist() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "velocity",
    [lambda x, t: x[:, 0], lambda x, t: x[:, :1], lambda x, t: x.mean()],
    ids=["flat", "narrow", "number"],
)
def test_a_model_of_another_shape_is_refused_where_it_would_broadcast(velocity):
    x_0, x_1 = torch.zeros(4, 2), torch.ones(4, 2)
    t = torch.full((4,), 0.5)
    with pytest.raises(ValueError, match="same shape"):
        cfm_loss(velocity, x_0, x_1, t)
    with pytest.raises(ValueError, match="same shape"):
        fm_loss(velocity, lambda x, t: x, x_0, t)
    with pytest.raises(ValueError, match="same shape"):
        fm_loss(lambda x, t: x, velocity, x_0, t)


# Stratified times


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_every_equal_part_of_the_unit_interval_gets_one_time(batch):
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        t = stratified_times(batch, generator).double()
        assert t.shape == (batch,)
        edges = torch.arange(batch + 1, dtype=torch.float64) / batch
        assert (t >= edges[:-1] - 1e-7).all() and (t <= edges[1:] + 1e-7).all()


def test_stratified_times_are_uniform_within_their_parts():
    generator = torch.Generator().manual_seed(0)
    within = torch.stack([stratified_times(8, generator) * 8 - torch.arange(8) for _ in range(2000)]).double()
    for k in (
        1,
        2,
        3,
    ):  # the moments of a uniform variable, in every part, to four and a half standard errors
        powers = within**k
        error = (1 / (2 * k + 1) - 1 / (k + 1) ** 2) ** 0.5 / 2000**0.5
        assert ((powers.mean(0) - 1 / (k + 1)).abs() < 4.5 * error).all()


def test_a_mean_over_stratified_times_keeps_its_expectation_and_loses_noise():
    generator = torch.Generator().manual_seed(0)
    stratified = torch.stack([stratified_times(16, generator).exp().mean() for _ in range(2000)]).double()
    plain = torch.rand(2000, 16, generator=generator).exp().mean(1).double()
    expected = torch.e - 1
    assert abs(stratified.mean().item() - expected) < 4 * stratified.std().item() / 2000**0.5
    assert stratified.std() < plain.std() / 10


def test_a_generator_makes_stratified_times_repeatable_and_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    first, second = (stratified_times(16, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    generator = torch.Generator().manual_seed(3)
    assert not torch.equal(stratified_times(16, generator), stratified_times(16, generator))


def test_logit_normal_times_have_the_quantiles_of_the_sigmoid_of_a_normal_number():
    generator = torch.Generator().manual_seed(0)
    t = torch.stack([logit_normal_times(16, generator) for _ in range(2000)]).double()
    assert (t.diff(dim=1) > 0).all()  # one from each part, in order
    shares = torch.arange(0.05, 1, 0.05, dtype=torch.float64)
    quantiles = [1 / (1 + math.exp(-0.6 * NormalDist().inv_cdf(share))) for share in shares.tolist()]
    torch.testing.assert_close(
        t.flatten().quantile(shares), torch.tensor(quantiles).double(), atol=2e-3, rtol=0
    )


def test_logit_normal_times_stay_inside_the_interval_at_the_ends_of_rounding(monkeypatch):
    ends = torch.tensor([0.0, 1.0])
    monkeypatch.setattr(losses, "stratified_times", lambda batch, generator: ends)
    assert ((logit_normal_times(2) > 0) & (logit_normal_times(2) < 1)).all()
