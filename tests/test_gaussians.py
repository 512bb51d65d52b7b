import pytest
import torch

from flowlib.data import Digits, load_digits
from flowlib.gaussians import FLOOR, NO_CLASS, ClassGaussians
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.solvers import solve_ode, time_grid

PATHS = (LinearPath(), TrigonometricPath())


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def known(path, mean, variances):
    """A Gaussian with these variances along the axes, as row 3, in float64."""
    gaussians = ClassGaussians(path, pixels=len(mean), rank=len(mean) - 1).double()
    order = variances.argsort()
    gaussians.mean[3], gaussians.basis[3] = mean, torch.eye(len(mean)).double()[:, order[1:]]
    gaussians.variance[3] = torch.cat([variances[order[1:]], variances[order[:1]]])
    return gaussians


@pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
def test_the_field_carries_noise_to_the_gaussian(path):
    """The flow of a Gaussian is α m + √(α² λ + σ²) x_0, which ends in m + √λ x_0."""
    mean, variances = torch.tensor([0.5, -1.0, 2.0]).double(), torch.tensor([0.25, 4.0, 1.0]).double()
    gaussians = known(path, mean, variances)
    x_0 = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)).double()
    label = torch.full((7,), 3)
    end = solve_ode(lambda x, t: gaussians(x, t, label), x_0, time_grid(200), "rk4").end
    torch.testing.assert_close(end, mean + variances.sqrt() * x_0, atol=1e-6, rtol=0)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
def test_the_field_is_the_mean_velocity_of_the_pairs_that_pass(path):
    """What is left of the velocity after the field is taken away has mean 0 and knows nothing of x_t."""
    mean, variances = torch.tensor([0.5, -1.0]).double(), torch.tensor([0.25, 4.0]).double()
    gaussians, n = known(path, mean, variances), 400_000
    generator = torch.Generator().manual_seed(1)
    x_0, x_1 = torch.randn(2, n, 2, generator=generator).double()
    x_1 = mean + variances.sqrt() * x_1
    t = torch.rand(n, generator=generator).double()
    x_t, u_t = path.sample(x_0, x_1, t)
    left_over = u_t - gaussians(x_t, t, torch.full((n,), 3))
    for samples in (left_over, left_over * x_t, left_over * x_t * t[:, None]):
        assert (samples.mean(0).abs() < 4.5 * samples.std(0) / n**0.5).all()


@pytest.fixture(scope="module")
def slanted():
    """Gaussians of six pixels with directions across the axes, in float64."""
    gaussians = ClassGaussians(TrigonometricPath(), pixels=6, rank=2).double()
    generator = torch.Generator().manual_seed(0)
    for buffer in gaussians.buffers():
        buffer.copy_(torch.rand(buffer.shape, generator=generator, dtype=torch.float64) + 0.1)
    gaussians.basis.copy_(torch.linalg.qr(gaussians.basis - 0.6).Q)
    return gaussians


def alone(gaussians):
    """The field of one point, to be mapped over many."""
    return lambda x, t, label: gaussians(x[None], t[None], label[None])[0]


def columns(f):
    """The Jacobian from one derivative along each direction, all at once."""

    def jacobian(x):
        eye = torch.eye(len(x), dtype=x.dtype)
        return torch.func.vmap(lambda v: torch.func.jvp(f, (x,), (v,))[1])(eye).T

    return jacobian


@pytest.mark.parametrize(
    "jacobian",
    [
        lambda f: lambda x: torch.autograd.functional.jacobian(f, x),
        torch.func.jacrev,
        torch.func.jacfwd,
        columns,
    ],
    ids=["autograd", "reverse", "forward", "columns"],
)
def test_the_jacobian_of_the_field_is_the_matrix_it_is_made_of(slanted, jacobian):
    """The field is linear in x, so this is (α̇ α C + σ̇ σ I) (α² C + σ² I)⁻¹, class by class."""
    path, eye = slanted.path, torch.eye(6).double()
    for k, t in ((3, 0.5), (NO_CLASS, 0.2)):
        t, label, C = torch.tensor(t).double(), torch.tensor(k), slanted.covariance(k)
        a, s = path.alpha(t), path.sigma(t)
        expected = (path.d_alpha(t) * a * C + path.d_sigma(t) * s * eye) @ (a**2 * C + s**2 * eye).inverse()
        made = jacobian(lambda x, t=t, label=label: alone(slanted)(x, t, label))(torch.ones(6).double())
        torch.testing.assert_close(made, expected, atol=1e-12, rtol=0)


def test_all_derivatives_in_points_and_times_are_those_of_differences(slanted):
    x, t = torch.randn(4, 6).double(), torch.tensor([0.1, 0.4, 0.7, 0.9]).double()
    label = torch.tensor([3, NO_CLASS, 3, 0])
    inputs = x.requires_grad_(), t.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, t: slanted(x, t, label), inputs, check_forward_ad=True, check_batched_grad=True
    )
    assert torch.autograd.gradgradcheck(lambda x, t: slanted(x, t, label), inputs)


def test_one_point_at_a_time_under_vmap_is_all_at_once(slanted):
    x, t, label = torch.randn(5, 6).double(), torch.rand(5).double(), torch.tensor([3, NO_CLASS, 3, 0, 9])
    mapped = torch.func.vmap(alone(slanted))(x, t, label)
    torch.testing.assert_close(mapped, slanted(x, t, label), atol=1e-14, rtol=0)


def test_the_density_has_the_slope_and_the_curvature_of_a_normal_one(slanted):
    """∇ log N(x; m, C) = -C⁻¹ (x - m), whose Jacobian is -C⁻¹."""
    x, k = torch.linspace(-1, 2, 6).double(), 3
    away, precision = x - slanted.mean[k], slanted.covariance(k).inverse()

    def log_density(x):
        return slanted.log_density(x[None], torch.tensor([k]))[0]

    torch.testing.assert_close(torch.func.grad(log_density)(x), -precision @ away, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.func.hessian(log_density)(x), -precision, atol=1e-12, rtol=0)
    rows, label = torch.stack([x, -x]), torch.tensor([k, 5])
    slopes = torch.func.vmap(torch.func.grad(lambda x, k: slanted.log_density(x[None], k[None])[0]))
    torch.testing.assert_close(slopes(rows, label)[0], -precision @ away, atol=1e-12, rtol=0)


def test_the_jacobian_of_a_sample_is_a_root_of_the_covariance(slanted):
    root = torch.func.jacrev(lambda x_0: slanted.sample(x_0[None], torch.tensor([3]))[0])(
        torch.ones(6).double()
    )
    torch.testing.assert_close(root @ root.T, slanted.covariance(3), atol=1e-12, rtol=0)


def test_through_the_solver_the_slope_of_the_end_is_the_stretch_of_the_flow():
    """The flow ends in m + √λ x_0, so each number of x_0 moves its own one of the end by √λ."""
    mean, variances = torch.tensor([0.5, -1.0, 2.0]).double(), torch.tensor([0.25, 4.0, 1.0]).double()
    gaussians, label = known(LinearPath(), mean, variances), torch.tensor([3])

    def end(x_0):
        return solve_ode(lambda x, t: gaussians(x, t, label), x_0[None], time_grid(12), "rk4").end[0]

    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        made = jacobian(end)(torch.tensor([1.0, 0.0, -1.0]).double())
        torch.testing.assert_close(made, variances.sqrt().diag(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("path", [LinearPath(), TrigonometricPath()], ids=["linear", "trigonometric"])
def test_the_field_is_the_conditional_expectation_of_jointly_normal_variables(path):
    """Dense oracle: α̇ m + (α̇ α C + σ̇ σ I) (α² C + σ² I)⁻¹ (x - α m)."""
    gaussians = ClassGaussians(path).double()
    gaussians.fit(load_digits())
    x = torch.randn(4, 1, 16, 16, dtype=torch.float64)
    t, label = torch.tensor([0.0, 0.3, 0.7, 1.0], dtype=torch.float64), torch.tensor([3, 8, 10, 8])
    velocity, eye = gaussians(x, t, label).flatten(1), torch.eye(256, dtype=torch.float64)
    for v, point, time, k in zip(velocity, x.flatten(1), t, label):
        alpha, sigma, d_alpha, d_sigma = (
            f(time) for f in (path.alpha, path.sigma, path.d_alpha, path.d_sigma)
        )
        m, basis, variance = gaussians.mean[k], gaussians.basis[k], gaussians.variance[k]
        C = basis * variance[:-1] @ basis.T + variance[-1] * (eye - basis @ basis.T)
        pull = (d_alpha * alpha * C + d_sigma * sigma * eye) @ torch.linalg.solve(
            alpha**2 * C + sigma**2 * eye, point - alpha * m
        )
        torch.testing.assert_close(v, d_alpha * m + pull, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def fitted(digits):
    gaussians = ClassGaussians().double()
    gaussians.fit(digits)
    return gaussians


@pytest.mark.parametrize("label", [3, NO_CLASS])
def test_the_log_density_is_that_of_the_dense_normal_distribution(digits, fitted, label):
    x = torch.cat([digits.images[:5], torch.randn(5, 1, 16, 16)]).double()
    oracle = torch.distributions.MultivariateNormal(fitted.mean[label], fitted.covariance(label))
    given = fitted.log_density(x, torch.full((10,), label))
    torch.testing.assert_close(given, oracle.log_prob(x.flatten(1)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("label", [3, NO_CLASS])
def test_a_sample_is_the_mean_and_a_root_of_the_covariance_times_the_noise(fitted, label):
    eye, labels = torch.eye(256).double(), torch.full((256,), label)
    root = fitted.sample(eye, labels) - fitted.mean[label]
    torch.testing.assert_close(root @ root.T, fitted.covariance(label), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        fitted.sample(0 * eye, labels), fitted.mean[label].expand(256, -1), atol=0, rtol=0
    )


def test_labels_may_be_mixed_and_images_keep_their_shape(fitted):
    x_0, label = torch.randn(5, 1, 16, 16).double(), torch.tensor([8, 3, NO_CLASS, 8, 0])
    one_by_one = torch.cat([fitted.sample(x_0[i : i + 1], label[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(fitted.sample(x_0, label), one_by_one)
    densities = torch.cat([fitted.log_density(x_0[i : i + 1], label[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(fitted.log_density(x_0, label), densities)


def test_a_sample_is_where_the_field_carries_the_noise(fitted):
    x_0, label = torch.randn(3, 256, generator=torch.Generator().manual_seed(0)).double(), torch.arange(3)
    end = solve_ode(lambda x, t: fitted(x, t, label), x_0, time_grid(400), "rk4").end
    torch.testing.assert_close(end, fitted.sample(x_0, label), atol=1e-4, rtol=0)


def test_unfitted_it_draws_and_rates_standard_noise():
    x, label = torch.randn(2, 1, 16, 16), torch.tensor([0, NO_CLASS])
    assert torch.equal(ClassGaussians().sample(x, label), x)
    torch.testing.assert_close(
        ClassGaussians().log_density(x, label),
        torch.distributions.Normal(0, 1).log_prob(x).flatten(1).sum(1),
    )


def test_unfitted_it_is_the_field_of_standard_noise():
    t = torch.tensor([0.3, 0.8])
    x = torch.randn(2, 1, 16, 16)
    field = ClassGaussians()(x, t, torch.tensor([0, NO_CLASS]))
    gain = (2 * t - 1) / (t**2 + (1 - t) ** 2)
    torch.testing.assert_close(field, gain[:, None, None, None] * x)


def test_fitted_it_has_the_mean_and_the_widest_variances_of_each_class(digits):
    gaussians = ClassGaussians()
    gaussians.fit(digits)
    for label, rows in ((4, digits.only(4).images), (NO_CLASS, digits.images)):
        rows = rows.flatten(1).double()
        singular = torch.linalg.svdvals(rows - rows.mean(0)).square() / (len(rows) - 1)
        torch.testing.assert_close(gaussians.mean[label].double(), rows.mean(0), atol=1e-5, rtol=0)
        widest = gaussians.variance[label, :-1].double().flip(0)
        torch.testing.assert_close(widest, singular[: len(widest)].clamp(min=FLOOR**2), atol=1e-4, rtol=1e-4)
        total = widest.sum() + gaussians.variance[label, -1] * (256 - len(widest))
        assert total >= singular.sum() - 1e-3


@pytest.mark.parametrize("threads", [1, 2])
def test_few_digits_of_a_class_give_finite_numbers_on_any_number_of_threads(digits, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        gaussians = ClassGaussians()
        gaussians.fit(Digits(digits.images[:100], digits.labels[:100]))
    finally:
        torch.set_num_threads(before)
    assert all(buffer.isfinite().all() for buffer in gaussians.buffers())


def test_a_class_without_digits_gets_the_gaussian_of_all(digits):
    gaussians = ClassGaussians()
    gaussians.fit(digits.only(3, 8))
    assert torch.equal(gaussians.mean[5], gaussians.mean[NO_CLASS])
    assert not torch.equal(gaussians.mean[3], gaussians.mean[NO_CLASS])


def test_a_single_digit_is_refused(digits):
    with pytest.raises(ValueError, match="at least 2 digits"):
        ClassGaussians().fit(Digits(digits.images[:1], digits.labels[:1]))


@pytest.mark.parametrize("label", [[0, 11], [0, -1], [0.0, 1.0], [True, False], [3], 3])
def test_labels_that_are_no_class_are_refused_by_every_method(label):
    gaussians, x, t, label = ClassGaussians(), torch.zeros(2, 256), torch.full((2,), 0.5), torch.tensor(label)
    for method in (lambda: gaussians(x, t, label), lambda: gaussians.sample(x, label)):
        with pytest.raises(ValueError, match="0 to 9, or 10"):
            method()
    with pytest.raises(ValueError, match="0 to 9, or 10"):
        gaussians.log_density(x, label)


@pytest.mark.parametrize("label", [-1, 11])
def test_the_covariance_of_no_class_is_refused(label):
    with pytest.raises(ValueError, match="0 to 9, or 10"):
        ClassGaussians().covariance(label)


def test_wrong_shapes_are_refused():
    gaussians, label = ClassGaussians(), torch.tensor([3, 4])
    with pytest.raises(ValueError, match="256 numbers"):
        gaussians.sample(torch.zeros(2, 100), label)
    with pytest.raises(ValueError, match="one time per sample"):
        gaussians(torch.zeros(2, 256), torch.tensor(0.5), label)
    with pytest.raises(ValueError, match="4 pixels"):
        ClassGaussians(pixels=4, rank=2).fit(load_digits())
    with pytest.raises(ValueError, match="rank needs"):
        ClassGaussians(pixels=4, rank=4)
