"""The solvers, against closed forms, their own quadrature rules, and SciPy."""

import math

import pytest
import torch

from flowlib.paths import check_times
from flowlib.solvers import (
    METHODS,
    Trajectory,
    euler_step,
    heun_step,
    midpoint_step,
    picard,
    rk4_step,
    solve_ode,
    time_grid,
)

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
EVALUATIONS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
each_method = pytest.mark.parametrize("method", list(ORDERS))


def growth(x, t):
    """Logistic growth that speeds up: nonlinear, and dependent on time."""
    return (1 + 4 * t)[:, None] * x * (1 - x)


def growth_solution(x_0, t):
    return 1 / (1 + (1 / x_0 - 1) * math.exp(-(t + 2 * t**2)))


STARTS = torch.tensor([[0.1, 0.2], [0.5, 0.9], [1.5, 0.05]], dtype=torch.float64)


def slope(steps, errors):
    """The order of convergence: minus the slope of log error over log steps, by least squares."""
    x = torch.tensor(steps, dtype=torch.float64).log()
    y = torch.tensor(errors, dtype=torch.float64).log()
    x, y = x - x.mean(), y - y.mean()
    return -((x * y).sum() / (x * x).sum()).item()


def recording(field):
    """The field, and the list of times at which it was asked."""
    asked = []

    def recorded(x, t):
        asked.append(t.clone())
        return field(x, t)

    return recorded, asked


def test_the_methods_are_the_four_step_functions():
    steps = {"euler": euler_step, "midpoint": midpoint_step, "heun": heun_step, "rk4": rk4_step}
    assert steps == METHODS


@each_method
def test_error_shrinks_with_the_order_of_the_method(method):
    steps = [32, 64, 128, 256]
    exact = growth_solution(STARTS, 1.0)
    errors = [(solve_ode(growth, STARTS, time_grid(n), method).end - exact).abs().max().item() for n in steps]
    assert slope(steps, errors) == pytest.approx(ORDERS[method], abs=0.15)


@each_method
def test_running_backwards_returns_to_the_start_with_the_order_of_the_method(method):
    steps = [32, 64, 128]
    errors = []
    for n in steps:
        end = solve_ode(growth, STARTS, time_grid(n), method).end
        back = solve_ode(growth, end, time_grid(n, start=1.0, end=0.0), method)
        assert back.ts[0] == 1 and back.ts[-1] == 0
        errors.append((back.end - STARTS).abs().max().item())
    assert slope(steps, errors) >= ORDERS[method] - 0.15
    assert errors[-1] < 0.05


@each_method
def test_one_step_of_a_field_of_time_alone_is_a_quadrature_rule(method):
    t, dt = 0.3, 0.2
    start = torch.tensor([[1.0]], dtype=torch.float64)
    times = torch.tensor([t], dtype=torch.float64)
    weights = {  # where the rule looks, as a share of the step, and with what weight
        "euler": {0.0: 1.0},
        "midpoint": {0.5: 1.0},
        "heun": {0.0: 1 / 2, 1.0: 1 / 2},
        "rk4": {0.0: 1 / 6, 0.5: 4 / 6, 1.0: 1 / 6},
    }[method]
    rule = 1 + dt * sum(weight * math.exp(t + share * dt) for share, weight in weights.items())
    step = METHODS[method](lambda x, t: t.exp()[:, None].expand_as(x), start, times, dt)
    assert step.item() == pytest.approx(rule, abs=1e-14)


@each_method
def test_one_step_of_a_linear_field_is_the_taylor_sum_of_the_exponential(method):
    z, start = -0.7, torch.tensor([[2.0]], dtype=torch.float64)
    step = METHODS[method](lambda x, t: z * x, start, torch.zeros(1, dtype=torch.float64), 1.0)
    taylor = sum(z**k / math.factorial(k) for k in range(ORDERS[method] + 1))
    assert step.item() == pytest.approx(2 * taylor, abs=1e-14)


@each_method
def test_a_step_asks_the_field_at_the_times_of_its_formula(method):
    shares = {"euler": [0.0], "midpoint": [0.0, 0.5], "heun": [0.0, 1.0], "rk4": [0.0, 0.5, 0.5, 1.0]}[method]
    field, asked = recording(growth)
    METHODS[method](field, STARTS, torch.full((3,), 0.3, dtype=torch.float64), 0.2)
    expected = torch.tensor([0.3 + share * 0.2 for share in shares], dtype=torch.float64)
    assert torch.allclose(torch.stack(asked), expected[:, None].expand(-1, 3), rtol=0, atol=1e-15)


@each_method
def test_a_step_costs_the_stated_number_of_evaluations(method):
    field, asked = recording(growth)
    solve_ode(field, STARTS, time_grid(7), method)
    assert len(asked) == 7 * EVALUATIONS[method]


@each_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_fifty_steps_of_a_fiftieth_are_fifty_steps_that_end_at_one(method, dtype):
    field, asked = recording(growth)
    trajectory = solve_ode(field, STARTS.to(dtype), time_grid(50), method)
    assert len(trajectory.ts) == len(trajectory.xs) == 51
    assert len(asked) == 50 * EVALUATIONS[method]
    check_times(torch.stack(asked))  # no path refuses any of these times
    assert trajectory.ts[0] == 0 and trajectory.ts[-1] == 1


def test_every_time_of_the_grid_is_met_exactly_once():
    grid = torch.tensor([0.0, 0.01, 0.3, 0.35, 1.0], dtype=torch.float64)
    field, asked = recording(growth)
    trajectory = solve_ode(field, STARTS, grid, "euler")
    assert torch.equal(torch.stack(asked), grid[:-1, None].expand(4, 3))
    assert torch.equal(trajectory.ts, grid)
    x = STARTS
    for k in range(4):
        x = x + (grid[k + 1] - grid[k]) * growth(x, grid[k].expand(3))
        assert torch.allclose(trajectory.xs[k + 1], x, rtol=0, atol=1e-15)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 49, 50, 51, 100, 333, 1000])
def test_a_time_grid_is_even_and_meets_both_ends_exactly(steps):
    grid = time_grid(steps)
    assert grid.shape == (steps + 1,)
    assert grid[0] == 0 and grid[-1] == 1
    expected = torch.tensor([k / steps for k in range(steps + 1)], dtype=torch.float64)
    assert torch.allclose(grid, expected, rtol=0, atol=1e-15)


def test_a_time_grid_of_a_higher_power_begins_with_small_steps_and_meets_both_ends():
    expected = torch.tensor([0, 1 / 64, 1 / 8, 27 / 64, 1], dtype=torch.float64)  # (k / 4)³
    assert torch.equal(time_grid(4, power=3), expected)
    assert torch.equal(time_grid(4, start=1.0, end=0.0, power=3), 1 - expected)


@pytest.mark.parametrize("power", [0, -1, float("nan"), float("inf")])
def test_a_time_grid_of_no_power_is_refused(power):
    with pytest.raises(ValueError, match=f"power needs a finite number above 0, but is {power}"):
        time_grid(4, power=power)


def test_a_time_grid_can_end_early_and_can_fall():
    assert time_grid(50, end=0.99)[-1] == 0.99
    assert torch.allclose(time_grid(4, start=1, end=0), time_grid(4).flip(0), rtol=0, atol=1e-15)


@pytest.mark.parametrize("steps", [0, -3, 2.5, math.nan, math.inf])
def test_a_time_grid_needs_a_whole_number_of_steps(steps):
    with pytest.raises(ValueError, match=f"at least 1.*{steps}"):
        time_grid(steps)


def pendulum(x, t):
    """A driven pendulum: angle and speed."""
    angle, speed = x[:, 0], x[:, 1]
    return torch.stack([speed, -angle.sin() + (3 * t).cos()], dim=1)


@pytest.fixture(scope="module")
def pendulums():
    """Two starts, ten times, and where SciPy says that the pendulums are at these times."""
    integrate = pytest.importorskip("scipy.integrate")
    start = torch.tensor([[0.5, 0.0], [2.0, -1.0]], dtype=torch.float64)
    grid = time_grid(10, end=2.0)

    def flat_pendulum(t, flat):
        x = torch.from_numpy(flat).reshape(2, 2)
        return pendulum(x, torch.full((2,), t, dtype=torch.float64)).flatten().numpy()

    solution = integrate.solve_ivp(
        flat_pendulum, (0, 2), start.flatten().numpy(), "DOP853", grid.numpy(), rtol=1e-11, atol=1e-11
    )
    return start, torch.from_numpy(solution.y.T.copy()).reshape(-1, 2, 2)


@pytest.mark.parametrize(
    ("method", "allowed"), [("euler", 0.03), ("midpoint", 1e-4), ("heun", 1e-4), ("rk4", 1e-8)]
)
def test_the_trajectory_agrees_with_scipy(method, allowed, pendulums):
    start, expected = pendulums
    trajectory = solve_ode(pendulum, start, time_grid(200, end=2.0), method)
    assert (trajectory.xs[::20] - expected).abs().max() < allowed


@each_method
def test_each_point_of_a_batch_moves_as_if_it_were_alone(method):
    together = solve_ode(growth, STARTS, time_grid(5), method)
    for i in range(len(STARTS)):
        alone = solve_ode(growth, STARTS[i : i + 1], time_grid(5), method)
        assert torch.allclose(together.xs[:, i], alone.xs[:, 0], rtol=0, atol=1e-15)


def test_a_trajectory_keeps_the_start_the_end_and_the_shape_of_images():
    images = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    trajectory = solve_ode(lambda x, t: -x, images, time_grid(4))
    assert isinstance(trajectory, Trajectory)
    assert trajectory.xs.shape == (5, 3, 1, 16, 16) and trajectory.xs.dtype == torch.float32
    assert torch.equal(trajectory.xs[0], images)
    assert torch.equal(trajectory.end, trajectory.xs[-1])
    assert torch.allclose(trajectory.end, images * 0.75**4, rtol=1e-6, atol=0)


@pytest.mark.parametrize("power", [1, 3])
@pytest.mark.parametrize("ends", [(0, 1), (1, 0), (-2, 5)])
@pytest.mark.parametrize("frames", [2, 5, 20])
def test_the_stills_of_a_trajectory_are_the_nearest_to_evenly_spaced_times(frames, ends, power):
    ts = time_grid(13, *map(float, ends), power=power)
    wanted = [ends[0] + (ends[1] - ends[0]) * k / (frames - 1) for k in range(frames)]
    nearest = {min(range(14), key=lambda k: abs(ts[k].item() - time)) for time in wanted}
    assert Trajectory(ts, torch.zeros(14, 1)).stills(frames) == sorted(nearest)


@pytest.mark.parametrize("frames", [1, 2.5, math.nan])
def test_stills_are_at_least_two(frames):
    with pytest.raises(ValueError, match=f"at least 2.*{frames}"):
        Trajectory(time_grid(3), torch.zeros(4, 1)).stills(frames)


def test_the_field_gets_one_time_per_point_in_the_dtype_of_the_points():
    field, asked = recording(growth)
    solve_ode(field, STARTS.float(), time_grid(3), "rk4")
    assert all(t.shape == (3,) and t.dtype == torch.float32 for t in asked)


def test_gradients_flow_through_the_solver():
    rate = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    start = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    end = solve_ode(lambda x, t: rate * x, start, time_grid(3), "euler").end
    by_rate, by_start = torch.autograd.grad(end.sum(), [rate, start])
    assert by_rate.item() == pytest.approx(2 * (1 + 0.5 / 3) ** 2, abs=1e-14)
    assert by_start.item() == pytest.approx((1 + 0.5 / 3) ** 3, abs=1e-14)


@each_method
def test_gradients_flow_to_the_times_of_the_grid(method):
    """Those of differences; for dx/dt = (1 + t) x and Euler's rule, by hand too."""
    ts = torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64, requires_grad=True)

    def end(ts):
        return solve_ode(lambda x, t: (1 + t)[:, None] * x, STARTS, ts, method).end

    assert torch.autograd.gradcheck(end, (ts,), check_forward_ad=True)
    x, (a, b, _) = STARTS.sum(), ts.detach()
    if method == "euler":  # x (1 + (b - a)(1 + a)) (1 + (c - b)(1 + b))
        slope_at_end = x * (1 + (b - a) * (1 + a)) * (1 + b)
        assert torch.autograd.grad(end(ts).sum(), ts)[0][2].item() == pytest.approx(slope_at_end.item())


def test_an_unknown_method_is_answered_with_the_choices():
    with pytest.raises(ValueError, match=r"euler, midpoint, heun, rk4.*'rk45'"):
        solve_ode(growth, STARTS, time_grid(3), "rk45")


@pytest.mark.parametrize(
    "grid",
    [
        [],
        [0.5],
        [0.0, 0.0, 1.0],
        [0.0, 0.6, 0.5, 1.0],
        [1.0, 0.5, 0.5],
        [0.0, math.nan, 1.0],
        [[0.0, 1.0]],
        1.0,
    ],
    ids=["empty", "one time", "flat", "turning", "flat falling", "nan", "two axes", "number"],
)
def test_a_grid_that_does_not_rise_or_fall_throughout_is_refused(grid):
    with pytest.raises(ValueError, match=r"ts .*time_grid\(25\)"):
        solve_ode(growth, STARTS, torch.tensor(grid, dtype=torch.float64))


@each_method
def test_a_field_that_changes_the_shape_is_refused_even_where_it_would_broadcast(method):
    for velocity in (
        lambda x, t: x[:, :1],
        lambda x, t: x[0],
        lambda x, t: x[:, :, None],
        lambda x, t: x.sum(),
    ):
        with pytest.raises(ValueError, match=r"same shape"):
            solve_ode(velocity, STARTS, time_grid(3), method)


def test_a_field_that_forgets_to_return_is_refused():
    with pytest.raises(ValueError, match="NoneType"):
        solve_ode(lambda x, t: None, STARTS, time_grid(3))


def test_a_start_of_integers_is_refused_because_its_times_would_be_cut_to_zero():
    with pytest.raises(ValueError, match=r"float"):
        solve_ode(lambda x, t: t[:, None] * x, torch.tensor([[1], [2]]), time_grid(10))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_start_that_is_not_finite_is_blamed_on_the_start(bad):
    with pytest.raises(ValueError, match="x_0"):
        solve_ode(lambda x, t: x, torch.tensor([[bad, 1.0]]), time_grid(10))


def test_a_state_that_stops_being_finite_is_reported_with_its_time():
    def breaks(x, t):
        return torch.where((t[:, None] > 0.45) & (x == x.max()), math.nan, x)  # a single entry

    with pytest.raises(ValueError, match=r"between t = 0\.5 and t = 0\.6.*smaller steps"):
        solve_ode(breaks, STARTS, time_grid(10))


def test_picard_iterates_of_growth_are_the_taylor_polynomials_of_the_exponential():
    start = torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
    iterates = picard(lambda x, t: x, start, time_grid(2000), 6)
    assert len(iterates) == 7
    t = time_grid(2000)[:, None, None]
    for k, iterate in enumerate(iterates):
        taylor = sum(t**j / math.factorial(j) for j in range(k + 1))
        assert torch.allclose(iterate.xs, taylor * start, rtol=0, atol=1e-6)
        assert torch.equal(iterate.ts, time_grid(2000)) and torch.equal(iterate.xs[0], start)


def test_picard_iterates_of_a_field_that_depends_on_time_are_the_polynomials_by_hand():
    start = torch.ones(1, 1, dtype=torch.float64)
    iterates = picard(lambda x, t: 2 * t[:, None] * x, start, time_grid(2000), 2)
    t = time_grid(2000)
    assert torch.allclose(iterates[1].xs.flatten(), 1 + t**2, rtol=0, atol=1e-6)
    assert torch.allclose(iterates[2].xs.flatten(), 1 + t**2 + t**4 / 2, rtol=0, atol=1e-6)


def test_picard_ends_where_the_solver_ends_with_an_error_of_order_two():
    exact, steps = growth_solution(STARTS, 1.0), [50, 100, 200]
    errors = [(picard(growth, STARTS, time_grid(n), 40)[-1].end - exact).abs().max().item() for n in steps]
    assert slope(steps, errors) == pytest.approx(2, abs=0.15)


def test_picard_runs_backwards_on_an_uneven_grid_and_keeps_the_shape_of_images():
    images = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    grid = torch.tensor([1.0, 0.9, 0.5, 0.45, 0.0])
    iterates = picard(lambda x, t: t.view(-1, 1, 1, 1).expand_as(x), images, grid, 1)
    assert iterates[0].xs.shape == iterates[1].xs.shape == (5, 3, 1, 4, 4)
    assert iterates[1].end.dtype == torch.float32
    assert torch.allclose(iterates[1].end, images - 0.5, rtol=0, atol=1e-6)  # exact: the field is linear in t


@pytest.mark.parametrize("iterations", [0, -1, 1.5, math.nan, math.inf])
def test_picard_needs_a_whole_number_of_iterations(iterations):
    with pytest.raises(ValueError, match=f"at least 1.*{iterations}"):
        picard(growth, STARTS, time_grid(3), iterations)


def test_picard_refuses_what_the_solver_refuses_and_names_the_iterate_that_blows_up():
    with pytest.raises(ValueError, match=r"ts .*time_grid\(25\)"):
        picard(growth, STARTS, torch.zeros(3), 2)
    with pytest.raises(ValueError, match="float"):
        picard(growth, torch.ones(2, 1, dtype=torch.int64), time_grid(3), 2)
    with pytest.raises(ValueError, match="same shape"):
        picard(lambda x, t: x[:, :1], STARTS, time_grid(3), 2)
    with pytest.raises(ValueError, match=r"iterate \d+ left the finite"):
        picard(lambda x, t: x**2, 9 + STARTS, time_grid(3), 40)
