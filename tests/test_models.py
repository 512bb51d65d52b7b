import pytest
import torch

from flowlib.models import NO_CLASS, VelocityNet, generate
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


def test_generating_is_solving_the_ode_from_the_noise_of_the_seed(model):
    label = torch.tensor([1, 7])
    x_0 = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = solve_ode(lambda x, t: model(x, t, label), x_0, time_grid(3, power=2), "heun")
    made = generate(model, label, steps=3, method="heun", seed=4, power=2)
    assert torch.equal(made.xs, expected.xs)
    assert not made.xs.requires_grad


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
