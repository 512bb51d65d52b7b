import numpy as np
import pytest
import torch

from flowlib.losses import cfm_loss
from flowlib.mlp import VelocityMLP, fit


def test_the_seed_fixes_the_weights_and_leaves_the_readers_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = VelocityMLP(2, seed=1), VelocityMLP(2, seed=1), VelocityMLP(2, seed=2)
    assert torch.equal(torch.rand(3), expected)
    x, t = torch.ones(4, 2), torch.full((4,), 0.5)
    assert torch.equal(first(x, t), again(x, t))
    assert not torch.equal(first(x, t), other(x, t))


def test_any_whole_number_is_a_seed_and_nothing_else():
    x, t = torch.ones(4, 2), torch.full((4,), 0.5)
    assert torch.equal(VelocityMLP(2, seed=np.int64(3))(x, t), VelocityMLP(2, seed=3)(x, t))
    for seed in (-1, 1.5, 2**70, None):
        with pytest.raises(ValueError, match=f"seed needs a whole number.*but seed is {seed!r}"):
            VelocityMLP(2, seed=seed)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fitting_learns_the_same_where_the_caller_has_switched_gradients_off(mode):
    model, other = VelocityMLP(1), VelocityMLP(1)

    def loss(model):
        return model(torch.ones(3, 1), torch.zeros(3)).square().mean()

    with mode():
        losses = fit(model, lambda: loss(model), steps=3)
    assert losses == fit(other, lambda: loss(other), steps=3)


def test_a_loss_that_knows_nothing_of_the_model_is_refused():
    with pytest.raises(ValueError, match="depend on the parameters of the model"):
        fit(VelocityMLP(1), lambda: torch.tensor(1.0), steps=1)


def test_the_network_sees_the_point_and_the_time():
    model = VelocityMLP(2)
    x, t = torch.ones(1, 2), torch.tensor([0.5])
    assert not torch.equal(model(x, t), model(x + 1, t))
    assert not torch.equal(model(x, t), model(x, t + 0.3))


def test_one_time_for_all_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="one time per sample"):
        VelocityMLP(2)(torch.ones(3, 2), torch.tensor(0.5))


def test_fitting_finds_the_known_best_field_of_a_single_data_point():
    """With one x_1 the best velocity is (x_1 - x)/(1 - t), and the loss has no floor."""
    model, generator = VelocityMLP(1, width=32), torch.Generator().manual_seed(0)

    def loss():
        x_0, t = torch.randn(256, 1, generator=generator), 0.8 * torch.rand(256, generator=generator)
        return cfm_loss(model, x_0, torch.full_like(x_0, 2.0), t)

    losses = fit(model, loss, steps=400)
    assert len(losses) == 400
    assert losses[-1] < 0.02 * losses[0]
    x, t = torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 0.5])
    assert torch.allclose(model(x, t), (2 - x) / (1 - t[:, None]), atol=0.3)


def test_a_loss_that_is_not_finite_stops_the_fit_before_it_spoils_the_weights():
    model = VelocityMLP(1)
    before = [weight.clone() for weight in model.parameters()]
    with pytest.raises(RuntimeError, match="nan at step 0"):
        fit(model, lambda: sum(w.sum() for w in model.parameters()) * torch.nan, steps=3)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


@pytest.mark.parametrize("steps", [0, 1.5])
def test_no_steps_or_half_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"steps is {steps}"):
        fit(VelocityMLP(1), lambda: None, steps=steps)


@pytest.mark.parametrize("rate", [0, -0.1, float("nan")])
def test_a_learning_rate_that_does_not_go_downhill_is_refused(rate):
    with pytest.raises(ValueError, match="above 0"):
        fit(VelocityMLP(1), lambda: None, steps=1, learning_rate=rate)


def test_a_loss_that_is_no_scalar_is_refused():
    model = VelocityMLP(1)
    for loss, words in ((lambda: None, "NoneType"), (lambda: 1.0, "float"), (lambda: torch.ones(3), "mean")):
        with pytest.raises(ValueError, match=words):
            fit(model, loss, steps=1)


def test_wrong_shapes_sizes_and_dtypes_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        VelocityMLP(0)
    with pytest.raises(ValueError, match=r"shape \(batch, 2\)"):
        VelocityMLP(2)(torch.ones(3, 1), torch.ones(3))
    with pytest.raises(ValueError, match="float32"):
        VelocityMLP(2)(torch.ones(3, 2).double(), torch.ones(3))
