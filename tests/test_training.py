import copy
import math
import signal
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils._python_dispatch import TorchDispatchMode

from flowlib import training as module
from flowlib.checkpoints import load_training, save_training
from flowlib.data import Digits, load_digits
from flowlib.losses import cfm_loss, squared_norm
from flowlib.models import NO_CLASS, VelocityNet, generate
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.training import Training


@pytest.fixture
def digits():
    everything = load_digits()
    return Digits(everything.images[:100], everything.labels[:100])


tiny = partial(VelocityNet, fine=8, coarse=8, context=8)


def weights(training):
    return torch.cat(
        [w.flatten() for m in (training.network, training.model) for w in m.state_dict().values()]
    )


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(digits):
    first, again, other = (Training(digits, seed=s) for s in (1, 1, 2))
    for training in (first, again, other):
        list(training.run(steps=3))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_another_number_of_threads_moves_no_pixel_of_a_sample_by_more_than_rounding(digits):
    def samples(threads, seed=0):
        torch.set_num_threads(threads)
        training = Training(digits, seed=seed)
        list(training.run(steps=20))
        return training.model, generate(training.model, torch.arange(10), steps=5).end

    before = torch.get_num_threads()
    try:
        (model, one), (_, two), (_, other) = samples(1), samples(2), samples(2, seed=1)
        again = generate(model, torch.arange(10), steps=5).end
    finally:
        torch.set_num_threads(before)
    assert (one - two).abs().max() < 1e-4
    assert (one - again).abs().max() < 1e-5
    assert (one - other).abs().max() > 1e-2


def test_the_readers_own_random_numbers_stay_untouched(digits):
    torch.manual_seed(5)
    expected = torch.randn(4)
    torch.manual_seed(5)
    list(Training(digits, seed=0).run(steps=2))
    assert torch.equal(torch.randn(4), expected)


def test_a_training_stopped_and_continued_equals_one_that_ran_through(digits):
    through, stopped = Training(digits), Training(digits)
    list(through.run(steps=6))
    for progress in stopped.run(steps=6):
        if progress.step == 2:
            break
    list(stopped.run(steps=6))
    assert torch.equal(weights(through), weights(stopped))
    assert through.loss == stopped.loss


def test_a_training_saved_and_loaded_continues_to_the_bit(digits, tmp_path):
    through, saved = Training(digits), Training(digits)
    list(through.run(steps=6))
    for progress in saved.run(steps=6):
        if progress.step == 3:
            break
    save_training(saved, tmp_path / "training.safetensors")
    loaded = load_training(tmp_path / "training.safetensors", digits)
    assert (loaded.step, loaded.loss) == (saved.step, saved.loss)
    list(loaded.run(steps=6))
    assert torch.equal(weights(through), weights(loaded))


@pytest.mark.parametrize("place", ["cfm_loss", "update_average"])
def test_an_interrupt_within_a_step_takes_effect_after_it(digits, monkeypatch, place):
    inside = getattr(module, place)

    def interrupted(*arguments, **named):
        signal.raise_signal(signal.SIGINT)
        return inside(*arguments, **named)

    through, stopped = Training(digits), Training(digits)
    list(through.run(steps=3))
    list(zip(range(1), stopped.run(steps=3)))
    monkeypatch.setattr(module, place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(stopped.run(steps=3))
    monkeypatch.setattr(module, place, inside)
    assert stopped.step == 2
    list(stopped.run(steps=3))
    assert torch.equal(weights(through), weights(stopped))


@pytest.mark.parametrize(("times", "upper_quarter"), [("uniform", 0.75), ("logit-normal", 0.59980)])
def test_a_batch_spreads_its_times_as_it_is_told(digits, monkeypatch, times, upper_quarter):
    """Upper quartiles: 3/4, and sigmoid(0.6 · 0.67449) = 0.59980 with 0.67449 that of N(0, 1)."""
    seen = []

    def spy(model, x_0, x_1, t, path):
        seen.append(t)
        return model(x_1, t).square().mean()

    monkeypatch.setattr(module, "cfm_loss", spy)
    list(Training(digits, times=times).run(steps=3))
    assert torch.stack(seen).quantile(0.75).item() == pytest.approx(upper_quarter, abs=0.01)


def test_other_times_are_refused_and_the_known_ones_named(digits):
    with pytest.raises(ValueError, match="times is one of logit-normal, uniform, but 'normal' was given"):
        Training(digits, times="normal")


def test_a_loaded_training_keeps_its_times(digits, tmp_path):
    through, stopped = Training(digits, times="uniform"), Training(digits, times="uniform")
    list(through.run(steps=2))
    list(zip(range(1), stopped.run(steps=2)))
    save_training(stopped, tmp_path / "training.safetensors")
    loaded = load_training(tmp_path / "training.safetensors", digits)
    list(loaded.run(steps=2))
    assert torch.equal(weights(through), weights(loaded))


def test_the_model_averages_the_networks_with_binomial_weights(digits):
    """The shares 11 / (k + 10), unrolled: step k of n weighs C(k + 9, 10) / C(n + 10, 11)."""
    training, seen = Training(digits), []
    for _ in training.run(steps=5):
        seen.append([w.detach().double() for w in training.network.parameters()])
    shares = [math.comb(k + 9, 10) / math.comb(15, 11) for k in range(1, 6)]
    assert sum(shares) == pytest.approx(1)
    for average, *steps in zip(training.model.parameters(), *seen):
        expected = sum(share * step for share, step in zip(shares, steps))
        torch.testing.assert_close(average.double(), expected, atol=1e-6, rtol=1e-5)


class Normed(nn.Module):
    """A model of the reader's own, with the running statistics of batch normalisation and a count."""

    def __init__(self):
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(256), nn.Linear(256, 256)

    def forward(self, x, t, label):
        return self.last(self.norm(x.flatten(1))).view_as(x)


def test_weights_and_buffers_of_the_average_are_those_of_pytorchs_own(digits):
    training = Training(digits, Normed())
    theirs = AveragedModel(
        training.network, avg_fn=lambda mean, new, n: torch.lerp(mean, new, 11 / (int(n) + 11))
    )
    for _ in training.run(steps=4):
        theirs.update_parameters(training.network)
    assert training.model.norm.num_batches_tracked == 4
    for ours, expected in zip(training.model.state_dict().items(), theirs.module.state_dict().values()):
        torch.testing.assert_close(ours[1], expected, atol=1e-6, rtol=1e-5, msg=ours[0])


def test_what_is_frozen_stays_so_and_all_else_moves(digits):
    model = tiny()
    model.embedding.requires_grad_(False)
    training = Training(digits, model)
    frozen = [name for name, weight in model.named_parameters() if not weight.requires_grad]
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    list(training.run(steps=3))
    assert frozen and all(name.startswith("embedding.") for name in frozen)
    for net in (training.network, training.model):
        moved = {name for name, weight in net.named_parameters() if not torch.equal(weight, before[name])}
        assert not moved & set(frozen)
        assert {"conv_out.weight", "conv_in.weight"} <= moved


def test_a_model_frozen_as_a_whole_is_trained_as_a_whole(digits):
    first = Training(digits, tiny())
    list(first.run(steps=1))
    second = Training(digits, first.model)
    assert second.network.training and all(weight.requires_grad for weight in second.network.parameters())
    before = second.network.conv_out.weight.clone()
    list(second.run(steps=1))
    assert not torch.equal(second.network.conv_out.weight, before)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_training_learns_the_same_where_the_caller_has_switched_gradients_off(digits, mode):
    plain = Training(digits, seed=1)
    list(plain.run(steps=2))
    with mode():
        training = Training(Digits(digits.images.clone(), digits.labels.clone()), seed=1)
        list(training.run(steps=2))
        assert not torch.is_grad_enabled()
    assert torch.equal(weights(training), weights(plain))


def test_a_model_that_inference_mode_has_made_is_refused_in_words(digits):
    with torch.inference_mode():
        model = tiny()
    with pytest.raises(ValueError, match=r"made under torch\.inference_mode\(\) can't be trained; make it"):
        Training(digits, model)


def test_a_training_under_another_default_dtype_is_one_in_the_dtype_of_its_model(digits):
    before, single = torch.get_default_dtype(), tiny()
    try:
        torch.set_default_dtype(torch.float64)
        for model, dtype in ((single, torch.float32), (tiny(), torch.float64)):
            training = Training(digits, model)
            list(training.run(steps=2))
            assert training.model.conv_out.weight.dtype == dtype
            assert generate(training.model, torch.tensor([3]), steps=1).end.dtype == dtype
    finally:
        torch.set_default_dtype(before)


def test_any_whole_number_is_a_seed_and_nothing_else(digits):
    first, again = Training(digits, seed=3), Training(digits, seed=np.int64(3))
    assert torch.equal(weights(first), weights(again))
    assert torch.equal(first.generator.get_state(), again.generator.get_state())
    for seed in (-1, 1.5, 2**70, None, "3"):
        with pytest.raises(ValueError, match=f"seed needs a whole number.*but seed is {seed!r}"):
            Training(digits, seed=seed)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_refused_in_words(digits):
    with pytest.raises(ValueError, match="this machine has no cuda device; choose cpu"):
        Training(digits, tiny(), device="cuda")


def first_step(training, monkeypatch):
    """Take a step; what its loss was computed from, and the velocities that the network gave there."""
    seen, inside = [], module.cfm_loss

    def spy(model, x_0, x_1, t, path):
        seen.append((x_0, x_1, t, model.keywords["label"], copy.deepcopy(training.network)))
        return inside(model, x_0, x_1, t, path)

    monkeypatch.setattr(module, "cfm_loss", spy)
    list(training.run(steps=1))
    return seen[0]


@pytest.mark.parametrize("own_path", [False, True], ids=["model's", "given"])
def test_on_the_arc_the_network_sees_its_points_and_learns_its_velocities(digits, monkeypatch, own_path):
    """x_t = sin(πt/2) x_1 + cos(πt/2) x_0 and u_t = π/2 (cos(πt/2) x_1 - sin(πt/2) x_0), for any model."""
    model = tiny(LinearPath() if own_path else TrigonometricPath())
    training = Training(digits, model, path=TrigonometricPath() if own_path else None)
    x_0, x_1, t, label, network = first_step(training, monkeypatch)
    angle = math.pi / 2 * t[:, None, None, None]
    x_t = angle.sin() * x_1 + angle.cos() * x_0
    u_t = math.pi / 2 * (angle.cos() * x_1 - angle.sin() * x_0)
    expected = (network(x_t, t, label) - u_t).flatten(1).square().sum(1).mean()
    assert training.loss == pytest.approx(expected.item(), rel=1e-5)


def test_a_fresh_model_on_the_arc_is_the_gaussian_field_of_the_arc(digits):
    training = Training(digits, path=TrigonometricPath())
    assert training.network.path == training.network.gaussians.path == training.path == TrigonometricPath()


def test_uniform_times_are_one_in_each_equal_part_and_of_the_normal_ones_as_many_are_below(
    digits, monkeypatch
):
    """Their sigmoid comes after ndtri: the inverse brings back one in each part of [0, 1]."""
    for times, back in (
        ("uniform", lambda t: t),
        ("logit-normal", lambda t: torch.special.ndtr(t.logit() / 0.6)),
    ):
        _, _, t, _, _ = first_step(Training(digits, tiny(), times=times), monkeypatch)
        assert torch.equal((back(t.double()) * len(t)).floor(), torch.arange(96.0).double()), times


def test_training_sees_each_image_with_its_own_label_and_a_tenth_without(digits, monkeypatch):
    own_label = {image.numpy().tobytes(): label.item() for image, label in zip(digits.images, digits.labels)}
    seen = []

    def spy(model, x_0, x_1, t, path):
        seen.extend(
            (own_label[x.numpy().tobytes()], given.item()) for x, given in zip(x_1, model.keywords["label"])
        )
        assert x_0.shape == x_1.shape
        assert not torch.equal(x_0, x_1)
        return squared_norm(model(x_1, t)).mean()

    monkeypatch.setattr(module, "cfm_loss", spy)
    list(Training(digits).run(steps=10))
    without = sum(given == NO_CLASS for _, given in seen)
    assert all(given in (own, NO_CLASS) for own, given in seen)
    assert 0.05 < without / len(seen) < 0.15


def test_training_starts_from_normal_noise_and_draws_it_anew_at_every_step(digits, monkeypatch):
    noises = []

    def spy(model, x_0, x_1, t, path):
        noises.append(x_0)
        return squared_norm(model(x_1, t)).mean()

    monkeypatch.setattr(module, "cfm_loss", spy)
    list(Training(digits).run(steps=10))
    drawn = torch.cat(noises).flatten().double()
    error = len(drawn) ** -0.5
    assert abs(drawn.mean()) < 5 * error
    assert abs((drawn**2).mean() - 1) < 5 * 2**0.5 * error
    assert abs((drawn**4).mean() - 3) < 5 * 96**0.5 * error  # a uniform number would give 1.8
    assert len({noise[0].numpy().tobytes() for noise in noises}) == 10


def test_a_step_follows_the_gradient_of_its_own_batch(digits, monkeypatch):
    gradients = []

    def spy(model, *batch):
        loss = cfm_loss(model, *batch)
        gradients.append(torch.autograd.grad(loss, list(training.network.parameters()), retain_graph=True))
        return loss

    monkeypatch.setattr(module, "cfm_loss", spy)
    training = Training(digits)
    for _ in training.run(steps=3):
        for weight, expected in zip(training.network.parameters(), gradients[-1]):
            torch.testing.assert_close(weight.grad, expected)


def test_learning_lowers_the_loss_on_noise_it_has_not_seen(digits):
    def held_out(model):
        generator = torch.Generator().manual_seed(99)
        x_0 = torch.randn(digits.images.shape, generator=generator)
        t = torch.rand(len(digits), generator=generator)
        with torch.no_grad():
            return module.cfm_loss(partial(model, label=digits.labels), x_0, digits.images, t).item()

    training = Training(digits, VelocityNet())  # without the Gaussians of the digits, it knows nothing
    before = held_out(training.model)
    list(training.run(steps=40))
    assert held_out(training.network) < 0.6 * before


def test_a_small_network_learns_ten_digits_no_worse_than_it_does():
    """In 100 steps the loss on other noise falls from 362 to 163, 165 or 166 by seed; of a wrong class, 182.

    Broken by hand, it stays at 177 where the network does not see the endpoint, at 230 where the folding
    mixes up places, at 233 where the average lags, at 329 with a hundredth of the learning rate.
    """
    everything = load_digits()
    rows = [everything.labels.tolist().index(k) for k in range(10)]
    ten = Digits(everything.images[rows], everything.labels[rows])
    torch.manual_seed(0)
    training = Training(ten, VelocityNet(fine=16, coarse=32, context=32))
    list(training.run(steps=100))
    generator = torch.Generator().manual_seed(99)
    x_0, t = torch.randn(300, 1, 16, 16, generator=generator), torch.rand(300, generator=generator)
    x_1, label = ten.images.repeat(30, 1, 1, 1), ten.labels.repeat(30)

    def loss(label):
        with torch.no_grad():
            return cfm_loss(partial(training.model, label=label), x_0, x_1, t).item()

    assert loss(label) < 172
    assert loss((label + 1) % 10) > 1.05 * loss(label)


def test_training_ends_at_its_step_budget_and_at_its_time_budget(digits):
    assert [p.step for p in Training(digits).run(steps=3)] == [1, 2, 3]
    last = list(Training(digits).run(seconds=0.2))[-1]
    assert last.seconds >= 0.2
    assert last.fraction == 1
    assert list(Training(digits).run(steps=2, seconds=1000))[-1].step == 2


def test_a_caller_who_takes_his_time_uses_up_no_training_time(digits, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    training = Training(digits)
    for _ in training.run(steps=3):
        for _ in range(10):
            module.time.perf_counter()
    assert training.seconds == 3


@pytest.mark.parametrize("budget", [{}, {"steps": 0}, {"seconds": -1}, {"steps": 5, "seconds": 0}])
def test_a_training_without_a_budget_says_what_to_type(digits, budget):
    with pytest.raises(ValueError, match=r"steps= or seconds="):
        next(Training(digits).run(**budget))


def test_a_loss_that_is_not_finite_stops_before_it_spoils_the_model(digits):
    training = Training(digits, VelocityNet())
    list(training.run(steps=2))
    before = weights(training)
    training.images = training.images * 1e30
    with pytest.raises(RuntimeError, match=r"loss is (inf|nan) after 2 steps"):
        list(training.run(steps=3))
    assert torch.equal(weights(training), before)


class Reads(TorchDispatchMode):
    """Counts the single numbers that are read from tensors: on a GPU, each waits for all before it."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_a_step_reads_no_number_but_its_loss_and_the_size_of_its_gradient(digits):
    """Which come together, as a list. Outside of a step, values are looked at as ever."""
    training = Training(digits)
    steps = training.run(steps=2)
    with Reads() as reads:
        next(steps)
    assert reads.count == 0
    x, t = torch.full((1, 1, 16, 16), torch.nan), torch.tensor([0.5])
    with Reads() as reads, pytest.raises(ValueError, match="finite"):
        training.model(x, t)
    assert reads.count > 0


def test_a_slope_that_is_not_finite_stops_before_it_spoils_the_model(digits, monkeypatch):
    def finite_without_a_slope(model, *batch):
        return cfm_loss(model, *batch) + (training.network.conv_out.bias.sum() * 0).sqrt()

    training = Training(digits, VelocityNet())
    list(training.run(steps=2))
    before = weights(training)
    monkeypatch.setattr(module, "cfm_loss", finite_without_a_slope)
    with pytest.raises(RuntimeError, match="gradient has the size nan"):
        list(training.run(steps=3))
    assert torch.equal(weights(training), before)


def test_no_digits_are_refused(digits):
    with pytest.raises(ValueError, match="at least one digit"):
        Training(Digits(digits.images[:0], digits.labels[:0]))


def test_a_model_of_the_readers_own_is_trained_in_place(digits):
    own = VelocityNet()
    training = Training(digits, own)
    assert training.network is own


def test_the_learning_rate_rises_to_its_peak_and_falls_to_zero(digits):
    training = Training(digits)
    rates = [training.optimizer.param_groups[0]["lr"] for _ in training.run(steps=40)]
    assert rates[0] < 0.05 * module.LEARNING_RATE
    assert max(rates) == pytest.approx(module.LEARNING_RATE)
    assert rates[-1] < 0.05 * module.LEARNING_RATE


def test_the_path_of_the_model_is_the_one_it_is_trained_on(digits, monkeypatch):
    seen, inside = [], module.cfm_loss
    monkeypatch.setattr(module, "cfm_loss", lambda *given: seen.append(given[-1]) or inside(*given))
    list(Training(digits, VelocityNet(TrigonometricPath())).run(steps=1))
    assert seen == [TrigonometricPath()]


def test_a_loaded_training_counts_its_seconds_on(digits, tmp_path):
    saved = Training(digits)
    list(saved.run(steps=1))
    save_training(saved, tmp_path / "t.safetensors")
    assert load_training(tmp_path / "t.safetensors", digits).seconds == saved.seconds > 0


@pytest.mark.parametrize("budget", [float("nan"), float("inf")])
def test_a_budget_that_never_ends_is_refused(digits, budget):
    with pytest.raises(
        ValueError, match=f"finite steps= or seconds= above 0, but got steps=None, seconds={budget}"
    ):
        next(Training(digits).run(seconds=budget))


def test_the_average_of_one_training_can_start_another(digits):
    first = Training(digits)
    list(first.run(steps=1))
    list(Training(digits, first.model).run(steps=1))
