"""What holds for all points, times and data, with answers from plain loops, exact decimals and matrices."""

import math
from decimal import Decimal, localcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import flowlib as fl
from flowlib.lessons.checks import CheckFailed, check_answer, check_close

PATHS = (fl.LinearPath(), fl.TrigonometricPath())
paths, seeds, small = st.sampled_from(PATHS), st.integers(0, 2**32 - 1), st.integers(1, 5)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@st.composite
def scenes(draw, latest: float = 0.999):
    """Points near and far, one time for all, and data: one point, or more of which some may stand twice."""
    dim, scale = draw(st.integers(1, 4)), draw(st.sampled_from([0.1, 1.0, 30.0, 1000.0]))
    data = normal(draw(seeds), draw(small), dim)
    data = data[draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=6))]
    x = scale * normal(draw(seeds), draw(st.integers(1, 3)), dim)
    t = torch.full((len(x),), draw(st.sampled_from([0.0, 0.5, 0.9, latest])), dtype=torch.float64)
    return x, t, data, draw(paths)


def exact_weights(x, t, data, path) -> list[list[float]]:
    """Bayes' rule with fifty digits and exponents without end, in which nothing underflows."""
    with localcontext() as context:
        context.prec, context.Emin = 50, -(10**15)
        rows = []
        for point, time in zip(x.tolist(), t):
            alpha, sigma = (Decimal(f(time).item()) for f in (path.alpha, path.sigma))
            away = [
                sum((Decimal(a) - alpha * Decimal(b)) ** 2 for a, b in zip(point, image))
                for image in data.tolist()
            ]
            masses = [(-(d - min(away)) / (2 * sigma**2)).exp() for d in away]
            rows.append([float(mass / sum(masses)) for mass in masses])
    return rows


def rounding(x, t, data, path) -> float:
    """How far a log-likelihood can be off: float64 carries 16 digits of squares, divided by σ_t²."""
    squares = x.square().sum(1).max() + data.square().sum(1).max()
    return 1e-10 + 1e-15 * (squares / path.sigma(t).min() ** 2).item()


@given(scenes())
def test_posterior_weights_are_bayes_rule_in_exact_arithmetic_near_the_data_and_far_from_it(scene):
    weights = fl.posterior_weights(*scene)
    expected = torch.tensor(exact_weights(*scene), dtype=torch.float64)
    assert torch.allclose(weights, expected, rtol=0, atol=rounding(*scene))
    assert torch.allclose(weights.sum(1), torch.ones(len(weights)).double(), rtol=0, atol=1e-12)


@given(scenes())
def test_the_posterior_mean_is_the_data_averaged_by_exact_weights(scene):
    data = scene[2]
    expected = torch.tensor(exact_weights(*scene), dtype=torch.float64) @ data
    tolerance = rounding(*scene) * (1 + data.abs().sum().item())
    assert torch.allclose(fl.posterior_mean(*scene), expected, rtol=0, atol=tolerance)


@given(scenes(), st.permutations(range(6)))
def test_data_that_stand_twice_or_in_another_order_change_neither_density_nor_field(scene, order):
    x, t, data, path = scene
    other = torch.cat([data, data])[
        [i for i in order if i < len(data)] + [len(data) + i for i in range(len(data))]
    ]
    tolerance = rounding(*scene)
    density, again = fl.log_density(x, t, data, path), fl.log_density(x, t, other, path)
    assert torch.allclose(density, again, rtol=1e-12, atol=tolerance)
    mean, again = fl.posterior_mean(x, t, data, path), fl.posterior_mean(x, t, other, path)
    assert torch.allclose(mean, again, rtol=0, atol=tolerance * (1 + data.abs().sum().item()))


@given(scenes())
def test_one_image_is_its_own_posterior_and_its_field_the_conditional_one(scene):
    x, t, data, path = scene
    one = data[:1].expand_as(x)
    assert torch.equal(fl.posterior_weights(x, t, data[:1], path), torch.ones(len(x), 1).double())
    assert torch.allclose(fl.posterior_mean(x, t, data[:1], path), one, rtol=1e-14, atol=0)
    expected = fl.conditional_velocity(x, t, one, path)
    assert torch.allclose(fl.marginal_field(data[:1], path)(x, t), expected, rtol=1e-9, atol=1e-9)
    assert (fl.velocity_variance(x, t, data[:1], path) <= 1e-6 / path.sigma(t) ** 2).all()


@given(paths, seeds, st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_path_is_its_closed_form_and_its_endpoint_leads_back_to_the_image(path, seed, times):
    t = torch.tensor(times, dtype=torch.float64)
    x_0, x_1 = normal(seed, 2, len(t), 3)
    x_t, u_t = path.sample(x_0, x_1, t)
    for k, time in enumerate(times):
        if path == fl.LinearPath():
            alpha, sigma, d_alpha, d_sigma = time, 1 - time, 1.0, -1.0
        else:
            turn = math.pi / 2
            alpha, sigma = math.sin(turn * time), math.cos(turn * time)
            d_alpha, d_sigma = turn * math.cos(turn * time), -turn * math.sin(turn * time)
        for a, b, c, u in zip(x_0[k].tolist(), x_1[k].tolist(), x_t[k].tolist(), u_t[k].tolist()):
            assert abs(alpha * b + sigma * a - c) < 1e-10
            assert abs(d_alpha * b + d_sigma * a - u) < 1e-10
    assert torch.allclose(path.endpoint(x_t, u_t, t), x_1, rtol=0, atol=1e-10)


ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}


@given(
    st.sampled_from(sorted(ORDERS)),
    seeds,
    st.lists(st.floats(0.01, 0.5), min_size=1, max_size=6),
    st.booleans(),
)
def test_solving_a_linear_field_multiplies_by_the_taylor_sum_of_each_step(method, seed, gaps, backwards):
    matrix, x_0 = normal(seed, 3, 3), normal(seed + 1, 4, 3)
    ts = torch.tensor([0.0, *gaps], dtype=torch.float64).cumsum(0)
    ts = ts.flip(0) if backwards else ts
    x = x_0
    for h in ts.diff().tolist():
        step = sum(
            torch.linalg.matrix_power(h * matrix, k) / math.factorial(k) for k in range(ORDERS[method] + 1)
        )
        x = x @ step.T
    end = fl.solve_ode(fl.linear_field(matrix), x_0, ts, method).end
    assert torch.allclose(end, x, rtol=1e-10, atol=1e-10)


@given(st.integers(1, 200), st.floats(-2, 2), st.floats(-2, 2))
def test_a_time_grid_has_its_ends_and_even_gaps(steps, start, end):
    ts = fl.time_grid(steps, start, end)
    expected = [start + (end - start) * k / steps for k in range(steps + 1)]
    assert torch.allclose(ts, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-14)


@given(paths, seeds, small)
def test_the_loss_is_the_mean_over_the_batch_of_a_sum_over_the_numbers(path, seed, n):
    x_0, x_1 = normal(seed, 2, n, 2, 3)
    t = fl.stratified_times(n, torch.Generator().manual_seed(seed)).double()
    x_t, u_t = path.sample(x_0, x_1, t)
    expected = sum((-a - b) ** 2 for a, b in zip(x_t.flatten().tolist(), u_t.flatten().tolist())) / n
    assert fl.cfm_loss(lambda x, t: -x, x_0, x_1, t, path).item() == pytest.approx(expected, rel=1e-12)
    assert (t * n).long().tolist() == list(range(n))


@given(seeds, st.integers(1, 6), small)
def test_nearest_neighbours_are_those_of_a_loop_over_all(seed, m, n):
    data, points = normal(seed, m, 2).round(), normal(seed + 1, n, 2).round()  # many stand at one distance
    distances, indices = fl.nearest_neighbours(points, data, k=m)
    for point, row, which in zip(points.tolist(), distances.tolist(), indices.tolist()):
        assert row == pytest.approx(sorted(math.dist(point, image) for image in data.tolist()), abs=1e-6)
        assert sorted(which) == list(range(m))
        assert row == pytest.approx([math.dist(point, data[i].tolist()) for i in which], abs=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 10))
def test_a_check_passes_if_and_only_if_the_gap_is_within_the_tolerance(left, right, tol):
    if abs(left - right) <= tol:
        check_close("a claim", left, right, tol)
    else:
        with pytest.raises(CheckFailed):
            check_close("a claim", left, right, tol)


answers = (
    st.none() | st.text() | st.floats() | st.complex_numbers() | st.lists(st.floats() | st.none() | st.text())
)


@given(answers | st.dictionaries(st.text(), st.floats()) | st.binary())
def test_an_answer_of_whatever_kind_gets_a_reply_and_only_the_right_one_passes(answer):
    if isinstance(answer, float | list) and answer in (2.0, [2.0]):
        return
    for given_answer in (answer, torch.tensor([3.0]).to("meta"), torch.tensor([2 + 1j])):
        with pytest.raises(CheckFailed):
            check_answer("two", given_answer, 2.0, tol=0)


@pytest.mark.parametrize("path", PATHS)
def test_the_checks_let_vmap_and_forward_and_reverse_derivatives_through(path):
    data, x = normal(0, 5, 2), normal(1, 3, 2)
    t = torch.full((3,), 0.5, dtype=torch.float64)
    field = fl.marginal_field(data, path)
    reverse = torch.func.vmap(torch.func.jacrev(lambda x, t: field(x[None], t[None])[0]))(x, t)
    forward = torch.stack([torch.func.jacfwd(lambda x, t=t: field(x[None], t[:1])[0])(point) for point in x])
    by_hand = torch.stack(
        [torch.autograd.functional.jacobian(lambda x: field(x[None], t[:1])[0], p) for p in x]
    )
    assert torch.allclose(reverse, by_hand, rtol=0, atol=1e-10)
    assert torch.allclose(forward, by_hand, rtol=0, atol=1e-10)
