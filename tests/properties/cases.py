"""Good calls of what the mathematics of flowlib offers, each with what it promises."""

from collections.abc import Callable
from types import SimpleNamespace

import torch
from hypothesis import strategies as st
from wrong import Case

import flowlib as fl
from flowlib import metrics
from flowlib.data import area_average
from flowlib.gaussians import check_labels
from flowlib.lessons import check_close, check_differs, check_mean
from flowlib.paths import check_times
from flowlib.types import evaluate, per_point

PATHS = st.sampled_from([fl.LinearPath(), fl.TrigonometricPath()])
SINGLE, BOTH = (torch.float32,), (torch.float32, torch.float64)
MLP, NET = fl.VelocityMLP(), fl.VelocityNet().requires_grad_(False)
GAUSSIANS = fl.ClassGaussians(pixels=4, rank=2)


def drawn(draw, dims=((2,), (3,), (1, 2, 2)), dtypes=BOTH, sizes=(1, 4)) -> SimpleNamespace:
    """A number of points, of one shape and dtype; functions that draw such points, and times; labels."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    n, dim, dtype = draw(st.integers(*sizes)), draw(st.sampled_from(dims)), draw(st.sampled_from(dtypes))

    def points(rows: int = n) -> torch.Tensor:
        return torch.randn(rows, *dim, generator=generator, dtype=dtype)

    def times(end: float = 1.0) -> torch.Tensor:
        return end * torch.rand(n, generator=generator, dtype=dtype)

    return SimpleNamespace(
        n=n, points=points, times=times, label=torch.randint(11, (n,), generator=generator), path=draw(PATHS)
    )


def given(make: Callable, **how) -> Callable:
    """The arguments that `make` makes of what is drawn."""
    return lambda draw: make(drawn(draw, **how))


def like(name: str) -> Callable:
    """The promise of floats of the shape of this argument."""

    def promise(result, **arguments):
        for part in result if isinstance(result, tuple) else (result,):
            assert part.shape == arguments[name].shape
            assert part.is_floating_point()

    return promise


def one_for_each(*names: str) -> Callable:
    """The promise of one number for each member of each of these arguments."""

    def promise(result, **arguments):
        assert result.shape == tuple(len(arguments[name]) for name in names)

    return promise


def a_scalar(result, **arguments):
    assert result.shape == ()


def weights(result, x, t, data, path):
    one_for_each("x", "data")(result, x=x, data=data)
    assert ((result >= 0) & (result <= 1)).all()


def states(result, field, x_0, ts, **more):
    for trajectory in result if isinstance(result, list) else [result]:
        assert trajectory.xs.shape == (len(ts), *x_0.shape)
        assert trajectory.ts.shape == (len(ts),)


def so_many(name: str, *dim: int) -> Callable:
    """The promise of as many as this argument says, each of the shape `dim`."""

    def promise(result, **arguments):
        assert result.shape == (int(arguments[name]), *dim)

    return promise


def neighbours(result, images, data, k):
    assert all(part.shape == (len(images), k) for part in result)


def share(result, **arguments):
    assert 0 <= result <= 1


def down(x, t):
    return -x


pairs = given(
    lambda d: {
        "path": ("", d.path),
        "x_0": ("points", d.points()),
        "x_1": ("points", d.points()),
        "t": ("times", d.times()),
    }
)
pulled = given(
    lambda d: {
        "x": ("points", d.points()),
        "t": ("times", d.times(0.999)),
        "data": ("points", d.points(1 + d.n % 3)),
        "path": ("", d.path),
    }
)
targets = given(
    lambda d: {
        "x": ("points", d.points()),
        "t": ("times", d.times(0.999)),
        "x_1": ("points", d.points()),
        "path": ("", d.path),
    }
)
PLANE = {"dims": ((2,), (3,))}


def moved(kind: str = "field", points: str = "points", **more) -> Callable:
    """A field, points and times, and `more`."""
    return given(
        lambda d: {"field": (kind, down), "x": (points, d.points()), "t": ("any times", d.times())} | more,
        **PLANE,
    )


def started(**more) -> Callable:
    """A field, where to start, and a grid."""
    return given(
        lambda d: (
            {"field": ("field", down), "x_0": ("points", d.points()), "ts": ("grid", fl.time_grid(d.n))}
            | more
        ),
        **PLANE,
    )


def classed(*names: str) -> Callable:
    """Those of x, t and label that are named, for Gaussians of four pixels."""
    return given(
        lambda d: {
            name: value
            for name, value in (
                ("x", ("points", d.points())),
                ("x_0", ("points", d.points())),
                ("t", ("times", d.times())),
                ("label", ("labels", d.label)),
            )
            if name in names
        },
        dims=((4,), (1, 2, 2)),
        dtypes=SINGLE,
    )


DIGITS = {"dims": ((1, 16, 16),), "dtypes": SINGLE}
pictures = given(lambda d: {"images": ("images", d.points().tanh())}, **DIGITS)
labelled = given(
    lambda d: {"images": ("images", d.points().tanh()), "labels": ("labels", d.label % 10)}, **DIGITS
)
many = given(lambda d: {"images": ("images", d.points().tanh())}, **DIGITS, sizes=(65, 70))
two_sets = given(
    lambda d: {"images": ("images", d.points().tanh()), "reference": ("images", d.points().tanh())},
    **DIGITS,
    sizes=(65, 70),
)


def two_gaussians(draw):
    d = drawn(draw, dims=((3,),))
    roots = d.points(3), d.points(3)
    return {
        "mean_1": ("points", d.points(1)[0]),
        "covariance_1": ("points", roots[0] @ roots[0].T),
        "mean_2": ("points", d.points(1)[0]),
        "covariance_2": ("points", roots[1] @ roots[1].T),
    }


def fixed(**arguments) -> Callable:
    """Arguments that need no drawing."""
    return lambda draw: arguments


CASES = {
    "per_point": Case(
        per_point,
        given(
            lambda d: {"values": ("points of a formula", d.times()), "x": ("points of a formula", d.points())}
        ),
        lambda result, values, x: one_for_each("x")(result.flatten(), x=x),
    ),
    "evaluate": Case(evaluate, moved("model", "points of a formula"), like("x")),
    "check_times": Case(check_times, given(lambda d: {"t": ("times", d.times())})),
    "path.sample": Case(lambda path, **rest: path.sample(**rest), pairs, like("x_1")),
    "path.endpoint": Case(lambda path, x_0, x_1, t: path.endpoint(x_0, x_1, t), pairs, like("x_0")),
    "constant_field": Case(
        lambda velocity, x, t: fl.constant_field(velocity)(x, t),
        given(
            lambda d: {
                "velocity": ("points", d.points(1)[0]),
                "x": ("points of a formula", d.points()),
                "t": ("", d.times()),
            }
        ),
        like("x"),
    ),
    "linear_field": Case(
        lambda matrix, x, t: fl.linear_field(matrix)(x, t),
        given(
            lambda d: {
                "matrix": ("points", d.points(2)),
                "x": ("points of a formula", d.points()),
                "t": ("", d.times()),
            },
            dims=((2,),),
        ),
        like("x"),
    ),
    "conditional_velocity": Case(fl.conditional_velocity, targets, like("x")),
    "conditional_field": Case(
        lambda x_1, path, **at: fl.conditional_field(x_1, path)(**at), targets, like("x")
    ),
    "log_likelihood": Case(fl.log_likelihood, pulled, one_for_each("x", "data")),
    "posterior_weights": Case(fl.posterior_weights, pulled, weights),
    "log_density": Case(fl.log_density, pulled, one_for_each("x")),
    "posterior_mean": Case(
        fl.posterior_mean, lambda draw: pulled(draw) | {"memory_mb": ("number", 1.0)}, like("x")
    ),
    "marginal_field": Case(lambda data, path, **at: fl.marginal_field(data, path)(**at), pulled, like("x")),
    "velocity_variance": Case(fl.velocity_variance, pulled, one_for_each("x")),
    **{
        step.__name__: Case(step, moved(dt=("number", 0.1)), like("x"))
        for step in (fl.euler_step, fl.midpoint_step, fl.heun_step, fl.rk4_step)
    },
    "time_grid": Case(
        fl.time_grid,
        fixed(steps=("count", 3), start=("number", 0.0), end=("number", 2.0)),
        lambda result, steps, start, end: so_many("times")(result, times=steps + 1),
    ),
    "solve_ode": Case(fl.solve_ode, started(method=("choice", "heun")), states),
    "picard": Case(fl.picard, started(iterations=("count", 2)), states),
    "squared_norm": Case(
        fl.squared_norm,
        given(lambda d: {"difference": ("points of a formula", d.points())}),
        one_for_each("difference"),
    ),
    "fm_loss": Case(lambda field, **at: fl.fm_loss(field, down, *at.values()), moved("model"), a_scalar),
    "fm_loss of a field": Case(
        lambda field, **at: fl.fm_loss(down, field, *at.values()), moved("model"), a_scalar
    ),
    "cfm_loss": Case(
        lambda field, path, x_0, x_1, t: fl.cfm_loss(field, x_0, x_1, t, path),
        lambda draw: pairs(draw) | {"field": ("model", down)},
        a_scalar,
    ),
    "stratified_times": Case(fl.stratified_times, fixed(batch=("count", 3)), so_many("batch")),
    "ClassGaussians": Case(
        lambda **sizes: fl.ClassGaussians(**sizes).covariance(3),
        fixed(pixels=("count", 3), rank=("count", 1)),
        lambda result, pixels, rank: so_many("pixels", int(pixels))(result, pixels=pixels),
    ),
    "gaussians": Case(GAUSSIANS, classed("x", "t", "label"), like("x")),
    "gaussians.sample": Case(GAUSSIANS.sample, classed("x_0", "label"), like("x_0")),
    "gaussians.log_density": Case(GAUSSIANS.log_density, classed("x", "label"), one_for_each("x")),
    "gaussians.covariance": Case(GAUSSIANS.covariance, fixed(label=("class", 3))),
    "check_labels": Case(
        lambda label: check_labels(label, 3), fixed(label=("labels", torch.tensor([1, 0, 10])))
    ),
    "VelocityMLP": Case(fl.VelocityMLP, fixed(dim=("count", 2), width=("count", 8), seed=("seed", 3))),
    "mlp": Case(
        lambda x, t: MLP(x, t).detach(),
        given(
            lambda d: {"x": ("points", d.points()), "t": ("any times", d.times())},
            dims=((2,),),
            dtypes=SINGLE,
        ),
        like("x"),
    ),
    "fit": Case(
        lambda **how: fl.fit(MLP, lambda: MLP.layers[0].bias.square().sum(), **how),
        fixed(steps=("count", 2), learning_rate=("number", 0.1)),
    ),
    "network": Case(
        NET,
        given(
            lambda d: {
                "x": ("points of the network", d.points()),
                "t": ("times", d.times()),
                "label": ("labels of the network", d.label),
            },
            **DIGITS,
        ),
        like("x"),
    ),
    "generate": Case(
        lambda **how: fl.generate(NET, **how),
        given(
            lambda d: {
                "label": ("labels", d.label),
                "steps": ("count", 1),
                "method": ("choice", "euler"),
                "seed": ("seed", 3),
            }
        ),
    ),
    "judge": Case(lambda images: fl.load_judge()(images), pictures),
    "judge.features": Case(lambda images: fl.load_judge().features(images), pictures),
    "accuracy": Case(fl.accuracy, labelled, share),
    "feature_statistics": Case(metrics.feature_statistics, many),
    "frechet_distance": Case(fl.frechet_distance, many),
    "frechet_distance of two sets": Case(fl.frechet_distance, two_sets),
    "gaussian_frechet_distance": Case(metrics.gaussian_frechet_distance, two_gaussians),
    "nearest_neighbours": Case(
        fl.nearest_neighbours,
        given(
            lambda d: {"images": ("points", d.points()), "data": ("points", d.points(3)), "k": ("count", 2)}
        ),
        neighbours,
    ),
    "Digits": Case(fl.Digits, labelled),
    "digits.only": Case(
        lambda label: fl.Digits(torch.zeros(2, 1, 16, 16), torch.tensor([0, 3])).only(label),
        fixed(label=("class", 3)),
    ),
    "area_average": Case(
        area_average, fixed(images=("bytes", torch.zeros(2, 28, 28, dtype=torch.uint8).numpy()))
    ),
    "load_digits": Case(fl.load_digits, fixed(source=("choice", "bundled"), split=("choice", "train"))),
    "eight_gaussians": Case(fl.eight_gaussians, fixed(n=("count", 3)), so_many("n", 2)),
    "two_moons": Case(fl.two_moons, fixed(n=("count", 3)), so_many("n", 2)),
    "check_close": Case(
        lambda left, tol: check_close("a claim", left, torch.ones(3), tol),
        fixed(left=("answer", torch.ones(3)), tol=("number", 0.1)),
    ),
    "check_differs": Case(
        lambda left, at_least: check_differs("a claim", left, torch.zeros(3), at_least),
        fixed(left=("answer", torch.ones(3)), at_least=("number", 0.1)),
    ),
    "check_mean": Case(
        lambda samples, expected: check_mean("a claim", samples, expected),
        fixed(samples=("answer", torch.arange(9.0)), expected=("number", 4.0)),
    ),
}
