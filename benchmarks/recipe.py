"""One training for all the peers: the loss, the data and the moving average of flowlib, by ordinary means."""

import copy
import time
from collections.abc import Callable, Iterator

import torch
from muon import Muon
from torch import nn

import flowlib as fl
from flowlib.training import learning_rate_factor, running_mean, update_average

BATCH = 128
# layers that meet pixels or classes: AdamW's, never Muon's
OUTER = ("conv_in", "conv_out", "linear_in", "linear_out", "position_embedding", "label_embedding")


class PeerTraining:
    """Conditional flow matching for any network `(x, t, label) -> velocity`; used like `fl.Training`.

    Batches of 128 with stratified times; AdamW, or with `muon` Muon for the matrices of the inner layers
    and AdamW for the rest; the learning rate follows `fl.Training`'s schedule to a peak of `rate`;
    `model` is the moving average of the weights of `network`, over about the last tenth of all steps.
    """

    def __init__(
        self,
        digits: fl.Digits,
        network: Callable[[], nn.Module],
        rate: float,
        muon: bool = False,
        seed: int = 0,
    ):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = network()
        self.model = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.digits, self.rate = digits, rate
        inner, others = [], []
        for name, weight in self.network.named_parameters():
            is_inner = weight.ndim > 1 and not any(part in OUTER for part in name.split("."))
            (inner if muon and is_inner else others).append(weight)
        self.optimizers = [torch.optim.AdamW(others, betas=(0.9, 0.98), fused=True)]
        if inner:
            self.optimizers.append(Muon(inner, lr=rate))
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.seconds, self.loss = 0, 0.0, float("nan")

    def run(self, seconds: float) -> Iterator[fl.Progress]:
        """Train for `seconds` in all; yields `Progress` after every step; time outside the steps is free."""
        while (used := self.seconds / seconds) < 1:
            start = time.perf_counter()
            self._take_step(used)
            self.seconds += time.perf_counter() - start
            yield fl.Progress(
                self.step, self.step * BATCH, self.seconds, self.loss, min(1.0, self.seconds / seconds)
            )

    def _take_step(self, used: float) -> None:
        rows = torch.randint(len(self.digits), (BATCH,), generator=self.generator)
        x_1, label = self.digits.images[rows], self.digits.labels[rows]
        x_0 = torch.randn(x_1.shape, generator=self.generator)
        t = fl.stratified_times(BATCH, self.generator)
        loss = fl.cfm_loss(lambda x, t: self.network(x, t, label), x_0, x_1, t)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
            optimizer.param_groups[0]["lr"] = self.rate * learning_rate_factor(used)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()

        self.step += 1
        update_average(self.model, self.network, self.step)
        self.loss = running_mean(self.loss, loss.item(), self.step)
