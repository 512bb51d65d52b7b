import copy

import pytest
import torch

from flowlib.data import load_digits
from flowlib.lessons import live, snapshots
from flowlib.lessons.snapshots import Snapshots
from flowlib.models import generate
from flowlib.training import Training


@pytest.fixture
def training(digits):
    return Training(digits, seed=0)


@pytest.fixture
def early(monkeypatch):
    """The first snapshot is due after two steps already."""
    monkeypatch.setattr(snapshots, "FIRST", 2)


def test_each_is_what_the_averaged_model_of_its_step_makes_of_the_same_noise(training, early):
    taken, models = Snapshots(training, torch.tensor([3, 8]), seed=5), {}
    for progress in training.run(steps=6):
        models[progress.step] = copy.deepcopy(training.model)
        taken.take()
    trajectories = taken.up_to_now()
    assert list(trajectories) == [0, 2, 3, 5, 6]  # 2, 2 × 1.5, 3 × 1.5 rounded up, and now
    for step in (2, 3, 5, 6):
        alone = generate(models[step], torch.tensor([3, 8]), steps=12, seed=5)
        assert trajectories[step].xs.equal(alone.xs)
        assert trajectories[step].xs[0].equal(trajectories[0].xs[0])
    assert not trajectories[2].end.equal(trajectories[6].end)


def test_they_come_at_growing_distances_and_the_last_is_always_of_now(training):
    taken = Snapshots(training, torch.tensor([1]))
    for training.step in range(1, 101):
        taken.take()
    assert list(taken.up_to_now()) == [0, 16, 24, 36, 54, 81, 100]
    training.step = 110
    assert list(taken.up_to_now()) == [0, 16, 24, 36, 54, 81, 110]


def test_those_of_a_training_that_goes_on_start_where_it_stands(training):
    training.step = 500
    taken = Snapshots(training, torch.tensor([1]))
    for training.step in (501, 749, 750, 751):
        taken.take()
    assert list(taken.up_to_now()) == [500, 750, 751]


def test_a_training_with_snapshots_ends_with_the_same_weights(training, digits, early):
    taken, alone = Snapshots(training), Training(digits, seed=0)
    for _ in training.run(steps=4):
        taken.take()
    for _ in alone.run(steps=4):
        pass
    assert len(taken.up_to_now()) == 4
    assert all(a.equal(b) for a, b in zip(training.model.parameters(), alone.model.parameters()))


def test_sixteen_noises_are_spread_over_the_classes_that_are_trained(training):
    assert Snapshots(training).label.tolist() == [*range(10), *range(6)]
    assert Snapshots(Training(load_digits().only(3))).label.tolist() == [3] * 16


def test_labels_in_turn_give_every_class_its_turn_whatever_the_count(training):
    some = Training(load_digits().only(2, 5, 9))
    assert snapshots.labels_in_turn(some, 7).tolist() == [2, 5, 9, 2, 5, 9, 2]
    assert snapshots.labels_in_turn(some, 2).tolist() == [2, 5]
    assert snapshots.labels_in_turn(training, 10).tolist() == list(range(10))


def test_a_label_above_10_is_refused_at_once(training):
    with pytest.raises(ValueError, match="11"):
        Snapshots(training, torch.tensor([3, 11]))


def test_watching_takes_those_that_are_due(training, early):
    taken = Snapshots(training, torch.tensor([7]))
    live.watch(training, steps=3, snapshots=taken)
    training.step = 9  # what was taken on the way, and now
    assert list(taken.up_to_now()) == [0, 2, 3, 9]
