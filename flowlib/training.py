"""Training: conditional flow matching on digits, one step at a time, stoppable and resumable."""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from flowlib.data import Digits
from flowlib.gaussians import NO_CLASS
from flowlib.interrupts import defer_interrupt
from flowlib.losses import cfm_loss, logit_normal_times, stratified_times
from flowlib.models import VelocityNet
from flowlib.parallel import average_over_processes, broadcast_from_leader, find_device, split_batch
from flowlib.paths import AffinePath, LinearPath
from flowlib.types import Batch, Times, assume_valid, check_count

BATCH = 96
LEARNING_RATE = 4e-3
LABEL_DROPOUT = 0.1  # share of images trained as "any digit"
WARM_UP = 0.05  # share of the budget in which the learning rate rises
RISE = 1e-3  # so that the first step moves
TIME_SAMPLERS = {"logit-normal": logit_normal_times, "uniform": stratified_times}
LOSS_SPAN = 50  # steps over which the reported loss is averaged


@dataclass(frozen=True)
class Progress:
    """Where a training stands after a step.

    `step`, `images` and `seconds` count from its beginning; `loss` is averaged over about the last
    50 steps; `fraction` is the share of the budget used, in (0, 1].
    """

    step: int
    images: int
    seconds: float
    loss: float
    fraction: float


class Training:
    """A training run that can be stopped after any step and continued to the bit.

    `model` is the one to use, at any moment: the moving average of `network`, which the optimiser
    moves. On one CPU and number of threads, the same digits, seed and steps give the same
    weights. Another number of threads changes them by rounding: after 20 steps, no pixel of a sample moves
    by more than 1e-4, and by more the longer it runs. A GPU may differ in the last bits.

    `digits`: what to learn; `model`: where to start (a fresh `VelocityNet`, drawn from `seed`, if none
    is given); `path`: from noise to data; `times`: how a batch spreads its times, "uniform", as the objective
    says, or "logit-normal", from which a network learns faster; the loss is the mean over these times.
    What is frozen in it, as `requires_grad_(False)` does, stays so; a model frozen as a whole, such as the
    average of another training, is trained as a whole. Raises `ValueError` for fewer digits than are needed,
    other times, seeds or devices than there are, and a model made under `torch.inference_mode()`.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        digits: Digits,
        model: nn.Module | None = None,
        path: AffinePath | None = None,
        seed: int = 0,
        device: str = "cpu",
        times: str = "logit-normal",
    ):
        if not len(digits):
            raise ValueError("training needs at least one digit, but the set is empty")
        if times not in TIME_SAMPLERS:
            raise ValueError(f"times is one of {', '.join(TIME_SAMPLERS)}, but {times!r} was given")
        seed, device = check_count("seed", seed, 0, 2**64), find_device(device)
        if model is None:
            with torch.random.fork_rng(devices=[]):  # the reader's own random numbers stay untouched
                torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPU too
                model = VelocityNet(path or LinearPath())
            model.gaussians.fit(digits)
        if any(weight.is_inference() for weight in model.parameters()):
            raise ValueError("a model made under torch.inference_mode() can't be trained; make it outside")
        self.path, self.device = path or getattr(model, "path", LinearPath()), torch.device(device)
        self.times = times
        self.images, self.labels = digits.images.to(device), digits.labels.to(device)
        if not any(weight.requires_grad for weight in model.parameters()):  # the average of another training
            model.requires_grad_(True).train()
        self.network = model.to(device)
        self.model = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), betas=(0.9, 0.98), fused=True)
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.seconds, self.loss = 0, 0.0, float("nan")

    def run(self, steps: int | None = None, seconds: float | None = None) -> Iterator[Progress]:
        """Train until `steps` steps or `seconds` seconds in all are done, whichever comes first.

        Yields `Progress` after every step; time spent outside the steps does not count. Both budgets
        count from the beginning of the training: after an interrupt, the same call goes on where it
        stopped. The learning rate falls to zero by the end of the budget. Raises `ValueError` without one.
        """
        budgets = [b for b in (steps, seconds) if b is not None]
        if not budgets or not all(0 < b < torch.inf for b in budgets):
            raise ValueError(f"run needs finite steps= or seconds= above 0, but got {steps=}, {seconds=}")

        def fraction() -> float:
            return min(1.0, max(self.step / (steps or torch.inf), self.seconds / (seconds or torch.inf)))

        try:
            while (used := broadcast_from_leader(fraction())) < 1:
                self.optimizer.param_groups[0]["lr"] = LEARNING_RATE * learning_rate_factor(used)
                with defer_interrupt(), assume_valid():  # weights, average and counters move together
                    start = time.perf_counter()
                    self._take_step()
                    self.seconds += time.perf_counter() - start
                yield Progress(self.step, self.step * BATCH, self.seconds, self.loss, fraction())
        except BaseException:
            broadcast_from_leader(1)  # where process 0 leaves early, the others leave after the same step
            raise

    @torch.inference_mode(False)  # with gradients, whatever the caller has switched off
    def _take_step(self) -> None:
        """Draw, loss, backward, step, average."""
        x_0, x_1, t, label = self._draw()
        loss = cfm_loss(partial(self._velocity, label=label), x_0, x_1, t, self.path)
        self.optimizer.zero_grad()  # first, so that a step that failed half-way leaves nothing behind
        loss.backward()
        value = self._checked(loss)
        self.optimizer.step()
        self.step += 1
        update_average(self.model, self.network, self.step)
        self.loss = running_mean(self.loss, value, self.step)

    def _draw(self) -> list[Tensor]:
        """Noise, images, times and labels of a batch; of several processes, the share of this one."""
        rows = torch.randint(len(self.images), (BATCH,), generator=self.generator)
        x_1, label = self.images[rows], self.labels[rows].clone()
        label[(torch.rand(BATCH, generator=self.generator) < LABEL_DROPOUT).to(self.device)] = NO_CLASS
        x_0 = torch.randn(x_1.shape, generator=self.generator, dtype=x_1.dtype).to(self.device)
        t = TIME_SAMPLERS[self.times](BATCH, self.generator).to(self.device)
        return split_batch(x_0, x_1, t, label)

    def _velocity(self, x: Batch, t: Times, label: Tensor) -> Batch:
        """What the network says; on a GPU, it computes in bfloat16."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            return self.network(x, t, label=label)

    def _checked(self, loss: Tensor) -> float:
        """The loss, once it and the gradient are the mean over all processes; `RuntimeError` for NaN.

        A number that is not finite, wherever in the step it came from, ends up in one of the two.
        """
        loss = loss.detach()
        gradients = [weight.grad for weight in self.network.parameters() if weight.grad is not None]
        average_over_processes([loss, *gradients])
        value, size = torch.stack([loss, torch.nn.utils.get_total_norm(gradients)]).tolist()
        if not math.isfinite(value + size):
            raise RuntimeError(
                f"the loss is {value} after {self.step} steps, and its gradient has the size {size}; the "
                "model is left as it was. Are all images finite, and is the learning rate small enough?"
            )
        return value


def learning_rate_factor(used: float) -> float:
    """The learning rate as a share of its peak, after the share `used` of the budget: up, then down to 0."""
    return min(1, (used + RISE) / WARM_UP, (1 - used) / (1 - WARM_UP))


def update_average(model: nn.Module, network: nn.Module, step: int) -> None:
    """Move the weights of `model`, the average, towards those of `network` after its step number `step`.

    The share 11 / (step + 10) makes the average look back on about a tenth of all steps; buffers are copied.
    """
    for average, weight in zip(model.parameters(), network.parameters()):
        average.lerp_(weight.detach(), 11 / (step + 10))
    for average, buffer in zip(model.buffers(), network.buffers()):
        average.copy_(buffer)


def running_mean(mean: float, value: float, step: int) -> float:
    """The mean of a loss over about the last 50 steps, after its `value` at step number `step`."""
    return value if step == 1 else mean + (value - mean) / min(step, LOSS_SPAN)
