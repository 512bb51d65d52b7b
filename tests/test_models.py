import signal
import sys

import numpy as np
import pytest
import torch

from flowlib.data import Digits
from flowlib.models import NO_CLASS, Block, TimeLabelEmbedding, VelocityNet, generate
from flowlib.solvers import solve_ode, time_grid


@pytest.fixture
def model():
    torch.manual_seed(0)
    net = VelocityNet()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.05 * torch.randn_like(weight))  # some start at zero
    return net.eval()


def test_the_velocity_depends_on_point_time_and_label(model):
    x, t, label = torch.randn(4, 1, 16, 16), torch.full((4,), 0.5), torch.full((4,), 3)
    v = model(x, t, label)
    assert v.shape == x.shape
    for other in (model(x + 0.1, t, label), model(x, t + 0.1, label), model(x, t, label + 1)):
        assert (other - v).abs().max() > 1e-3


def test_no_label_means_no_class(model):
    x, t = torch.randn(3, 1, 16, 16), torch.rand(3)
    torch.testing.assert_close(model(x, t), model(x, t, torch.full((3,), NO_CLASS)))


def test_each_image_is_treated_on_its_own(model):
    x, t, label = torch.randn(5, 1, 16, 16), torch.rand(5), torch.arange(5)
    alone = torch.cat([model(x[i : i + 1], t[i : i + 1], label[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(model(x, t, label), alone, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def small(digits):
    """A small network whose weights are all at work, on the Gaussians of a few digits, in float64."""
    net, generator = VelocityNet(fine=8, coarse=8, context=8), torch.Generator().manual_seed(0)
    net.gaussians.fit(Digits(digits.images[:200], digits.labels[:200]))
    for weight in net.double().requires_grad_(False).parameters():
        weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))
    return net


def test_the_derivatives_of_the_velocity_in_point_and_time_are_those_of_differences(small):
    generator = torch.Generator().manual_seed(1)
    x, t = torch.randn(2, 1, 16, 16, generator=generator).double(), torch.tensor([0.3, 0.6]).double()
    label, both = torch.tensor([3, NO_CLASS]), {"check_forward_ad": True, "check_batched_grad": True}
    inputs = x.requires_grad_(), t.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, t: small(x, t, label), inputs, fast_mode=True, **both)


def test_the_divergence_is_one_in_all_modes_and_untrained_it_is_that_of_the_gaussians(digits):
    """The trace of a matrix with known eigenvalues, by reverse mode, and by 256 derivatives at once."""
    net = VelocityNet(fine=8, coarse=8, context=8).double().requires_grad_(False)
    net.gaussians.fit(Digits(digits.images[:200], digits.labels[:200]))
    x, t, label = torch.ones(1, 1, 16, 16).double(), torch.tensor([0.5]).double(), torch.tensor([3])
    variances = torch.cat([net.gaussians.variance[3, :-1], net.gaussians.variance[3, -1:].expand(256 - 64)])
    expected = ((variances - 1) / (variances + 1) * 2).sum()  # (t λ - (1 - t)) / (t² λ + (1 - t)²)

    def velocity(x):
        return net(x.view(1, 1, 16, 16), t, label).flatten()

    eye = torch.eye(256).double()
    forward = torch.func.vmap(lambda v: torch.func.jvp(velocity, (x.flatten(),), (v,))[1] @ v)(eye).sum()
    reverse = torch.autograd.functional.jacobian(velocity, x.flatten()).trace()
    torch.testing.assert_close(forward, expected, atol=1e-9, rtol=0)
    torch.testing.assert_close(reverse, expected, atol=1e-9, rtol=0)


def test_one_image_at_a_time_under_vmap_is_all_at_once(small):
    x, t, label = torch.randn(3, 1, 16, 16).double(), torch.rand(3).double(), torch.tensor([3, NO_CLASS, 3])
    mapped = torch.func.vmap(lambda x, t, label: small(x[None], t[None], label[None])[0])(x, t, label)
    torch.testing.assert_close(mapped, small(x, t, label), atol=1e-12, rtol=0)


def test_the_gradient_of_a_solution_is_that_of_differences(small):
    label, x_0 = torch.tensor([3]), torch.randn(1, 1, 16, 16).double().requires_grad_()

    def end(x_0, ts):
        return solve_ode(lambda x, t: small(x, t, label), x_0, ts, "heun").end

    inputs = x_0, time_grid(2, end=0.9).requires_grad_()
    assert torch.autograd.gradcheck(end, inputs, fast_mode=True, check_forward_ad=True)


def test_a_time_is_told_by_waves_of_every_length_from_one_to_a_hundredth():
    embedding, t = TimeLabelEmbedding(4, 3), torch.tensor([0.0, 0.3, 1.0])
    heard = []
    embedding.time_embedding.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    embedding(t, torch.tensor([0, 1, 2]))
    waves = [
        [f(10 ** (2 * k / 15) * time) for f in (np.sin, np.cos) for k in range(16)] for time in t.tolist()
    ]
    torch.testing.assert_close(heard[0], torch.tensor(waves).float(), atol=1e-4, rtol=0)


def test_time_reaches_every_block_and_label_too(model):
    """What the context scales and shifts in a block differs where either of them does."""
    blocks = [model.down_block, *model.middle, model.up_block]
    heard = []
    for block in blocks:
        block.film.register_forward_hook(lambda _, given, said: heard.append(said))
    x, t = torch.zeros(3, 1, 16, 16), torch.tensor([0.2, 0.8, 0.2])
    model(x, t, torch.tensor([3, 3, 8]))
    assert len(heard) == 4
    for said in heard:
        assert (said[0] - said[1]).abs().max() > 1e-3 and (said[0] - said[2]).abs().max() > 1e-3


def test_a_block_scales_and_shifts_what_is_normed_over_the_channels_by_the_context():
    """By einsum: x + P silu(E ((1 + a) n + b)), n the convolved x, mean 0 and variance 1 at each place."""
    generator, block = torch.Generator().manual_seed(0), Block(3, 5).double().requires_grad_(False)
    for weight in block.parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator))
    x, context = (torch.randn(2, *dim, generator=generator).double() for dim in ((3, 4, 4), (5,)))
    h = torch.stack([block.depthwise(x)[:, c] for c in range(3)], dim=-1)  # (2, 4, 4, 3)
    n = (h - h.mean(-1, keepdim=True)) / (h.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    a, b = (context @ block.film.weight.T + block.film.bias)[:, None, None].split(3, dim=-1)
    wide = torch.einsum("bhwc,dc->bhwd", (1 + a) * n + b, block.expand.weight) + block.expand.bias
    added = torch.einsum("bhwd,cd->bchw", wide * wide.sigmoid(), block.project.weight)
    expected = x + added + block.project.bias[:, None, None]
    torch.testing.assert_close(block(x, context), expected, atol=1e-12, rtol=0)


def test_a_pixel_far_away_is_seen_and_one_near_by_is_seen_most(small):
    """How much of the network's answer at one pixel comes from each other: neighbours stay neighbours."""
    x, t, label = torch.zeros(1, 1, 16, 16).double(), torch.tensor([0.5]).double(), torch.tensor([NO_CLASS])
    plain = VelocityNet(fine=8, coarse=8, context=8).double().requires_grad_(False)
    plain.load_state_dict(
        small.state_dict() | {f"gaussians.{k}": v for k, v in plain.gaussians.state_dict().items()}
    )

    def answer(x):
        return (plain(x, t, label) - plain.gaussians(x, t, label))[0, 0, 3, 4]

    seen = torch.func.grad(answer)(x)[0, 0].abs()
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    near = ((rows - 3).abs() <= 2) & ((columns - 4).abs() <= 2)
    assert seen[near].mean() > 3 * seen[~near].mean() > 0


def test_generating_is_solving_the_ode_from_the_noise_of_the_seed(model):
    label = torch.tensor([1, 7])
    x_0 = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = solve_ode(lambda x, t: model(x, t, label), x_0, time_grid(3, power=2), "heun")
    made = generate(model, label, steps=3, method="heun", seed=4, power=2)
    assert torch.equal(made.xs, expected.xs)
    assert not made.xs.requires_grad


def test_generating_leaves_the_recording_of_gradients_as_it_was_wherever_ctrl_c_falls():
    """Also on each line that switches it off or on again, which Python does not undo by itself."""
    model, label = VelocityNet(fine=8, coarse=8, context=8).eval(), torch.tensor([3])
    where = (sys.modules["torch.autograd.grad_mode"].__file__, sys.modules["contextlib"].__file__)
    passed, stops = [0], 0

    def trace(frame, event, argument, at=None):
        if not frame.f_code.co_filename.startswith(where):
            return None
        if event == "line":
            passed[0] += 1
            if passed[0] == at:
                signal.raise_signal(signal.SIGINT)
        return lambda *given: trace(*given, at=at)

    def run(at=None):
        passed[0] = 0
        before = sys.gettrace()
        sys.settrace(lambda *given: trace(*given, at=at))
        try:
            generate(model, label, steps=1)
        finally:
            sys.settrace(before)

    run()
    lines = passed[0]
    try:
        for at in range(1, lines + 1):
            with pytest.raises(KeyboardInterrupt):
                run(at)
            stops += torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    assert stops == lines > 10


def test_a_model_of_another_dtype_generates_from_the_same_noise(small):
    label = torch.tensor([3, 8])
    assert small.conv_in.weight.dtype == torch.float64
    before, once = torch.get_default_dtype(), generate(small, label, steps=2, seed=4).xs
    assert once.dtype == torch.float64
    assert torch.equal(once[0].float(), generate(VelocityNet(), label, steps=1, seed=4).xs[0])
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.equal(generate(small, label, steps=2, seed=4).xs, once)
    finally:
        torch.set_default_dtype(before)


def test_any_whole_number_is_a_seed_and_nothing_else(small):
    label = torch.tensor([3])
    assert torch.equal(generate(small, label, 1, seed=np.int64(3)).xs, generate(small, label, 1, seed=3).xs)
    for seed in (-1, 1.5, 2**70, None, "3"):
        with pytest.raises(ValueError, match=f"seed needs a whole number.*but seed is {seed!r}"):
            generate(small, label, seed=seed)


@pytest.mark.parametrize("label", [[11], [-1], [0.5], []])
def test_labels_that_are_no_digits_are_refused(model, label):
    with pytest.raises(ValueError, match="0 to 9"):
        generate(model, torch.tensor(label))


def test_wrong_shapes_are_refused_with_a_remedy(model):
    with pytest.raises(ValueError, match=r"\(batch, 1, 16, 16\)"):
        model(torch.randn(2, 256), torch.rand(2))
    with pytest.raises(ValueError, match=r"t\.expand"):
        model(torch.randn(2, 1, 16, 16), torch.tensor(0.5))
    for label in ([1], [1, 11], [0.5, 1.0]):
        with pytest.raises(ValueError, match="0 to 9"):
            model(torch.randn(2, 1, 16, 16), torch.rand(2), torch.tensor(label))
