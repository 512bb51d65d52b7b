"""Snapshots of a training: what the same noises become after more and more steps."""

import torch
from torch import Tensor

from flowlib.models import generate
from flowlib.solvers import Trajectory
from flowlib.training import Training

FIRST = 16  # steps; before, next to nothing has changed
GROWTH = 1.5  # each snapshot comes after so many times the steps of the one before
SOLVER_STEPS = 12  # so 13 states


class Snapshots:
    """Trajectories of the same noises: from the start of a training, at its steps 16, 24, 36 …, and of now.

    `training`: whose averaged model draws them; `label`: `(batch,)`, a class for each noise, 0 to 9 or 10
    for any (by default 16, of all classes that are trained); `seed`: fixes the noises. Call `take` after
    every step of a training of your own, or hand the snapshots to `live.watch`; then show them by
    `animations.training_player(snapshots.up_to_now())`. A minute's training has about a dozen, together
    about a second of work, which the training's clock leaves out. Raises `ValueError` for labels beyond
    0 to 10.
    """

    def __init__(self, training: Training, label: Tensor | None = None, seed: int = 0):
        self.training, self.seed = training, seed
        self.label = labels_in_turn(training, 16) if label is None else label
        self._kept = {}
        self._kept = self.up_to_now()

    def take(self) -> None:
        """Keep a trajectory if one is due at the step where the training stands."""
        if self.training.step >= max(FIRST, GROWTH * max(self._kept)):
            self._kept = self.up_to_now()

    def up_to_now(self) -> dict[int, Trajectory]:
        """What was kept, `{step: trajectory}`, and the trajectory of the model as it is now."""
        step = self.training.step
        if step in self._kept:
            return dict(self._kept)
        now = generate(self.training.model, self.label, SOLVER_STEPS, seed=self.seed)
        return {**self._kept, step: now}


def labels_in_turn(training: Training, count: int) -> Tensor:
    """`count` labels: the classes that are trained, 0 to 9 say, in turn, again and again."""
    classes = training.labels.unique().cpu()
    return classes[torch.arange(count) % len(classes)]
