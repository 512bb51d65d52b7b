"""The benchmark of training, a few steps of each candidate. How fast they are is never tested."""

import json
from pathlib import Path
from types import SimpleNamespace

import choices
import figure
import matplotlib.pyplot as plt
import pytest
import recipe
import torch
import training as benchmark
from muon import Muon, orthogonalised
from peers import ConvNet, ResidualMLP, TorchCFMUNet, Transformer

import flowlib as fl
from flowlib.data import Digits
from flowlib.losses import cfm_loss
from flowlib.training import Progress

ROOT = Path(__file__).parents[1]
PEERS = (ConvNet, ResidualMLP, Transformer)
each_peer = pytest.mark.parametrize("network", PEERS)


@pytest.fixture
def few(digits):
    return Digits(digits.images[:100], digits.labels[:100])


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second whenever it is read, and otherwise when told to: `clock.now`."""

    class Clock:
        now = 0.0

        def read(self):
            self.now += 1
            return self.now

    clock = Clock()
    monkeypatch.setattr(recipe, "time", SimpleNamespace(perf_counter=clock.read))
    return clock


class Sleeper:
    """A training whose steps take `step` seconds each; it notes in `diary` whose turn it is."""

    def __init__(self, name, step, diary):
        self.name, self.length, self.diary, self.seconds, self.step = name, step, diary, 0.0, 0

    def run(self, seconds):
        while self.seconds < seconds:
            self.step += 1
            self.seconds += self.length
            self.diary.append(self.name)
            yield Progress(self.step, self.step, self.seconds, 0.0, min(1.0, self.seconds / seconds))


@each_peer
def test_a_peer_maps_x_t_and_label_to_a_velocity_of_the_shape_of_x(network):
    torch.manual_seed(0)
    model, x, t, label = network(), torch.randn(5, 1, 16, 16), torch.rand(5), torch.arange(5)
    with torch.no_grad():
        for weight in model.parameters():  # their last layers begin at zero
            weight.add_(0.1 * torch.randn_like(weight))
        velocity = model(x, t, label)
        assert velocity.shape == x.shape
        for other in (model(x, 1 - t, label), model(x, t, label + 1), model(-x, t, label)):
            assert ((other - velocity).flatten(1).norm(dim=1) > 1e-3).all()
        torch.testing.assert_close(model(x[2:3], t[2:3], label[2:3]), velocity[2:3], atol=1e-3, rtol=1e-3)


def test_torchcfms_network_takes_the_same_arguments():
    pytest.importorskip("torchcfm")
    x = torch.randn(2, 1, 16, 16)
    assert TorchCFMUNet()(x, torch.rand(2), torch.arange(2)).shape == x.shape


def test_the_convolutional_peer_has_the_size_that_it_is_known_for():
    assert sum(weight.numel() for weight in ConvNet().parameters()) == pytest.approx(0.57e6, rel=0.02)


@pytest.mark.parametrize("network, muon", [*((network, False) for network in PEERS), (ConvNet, True)])
def test_training_lowers_a_peers_loss(few, network, muon, clock, monkeypatch):
    """On one batch, held fixed: the same digits, noise and times before and after six steps."""
    monkeypatch.setattr(recipe, "BATCH", 32)
    peer = recipe.PeerTraining(few, network, rate=3e-3, muon=muon)
    generator = torch.Generator().manual_seed(1)
    x_0 = torch.randn(few.images.shape, generator=generator)
    t = torch.rand(len(few), generator=generator)

    @torch.no_grad()
    def loss(model):
        return cfm_loss(lambda x, t: model(x, t, few.labels), x_0, few.images, t).item()

    before = loss(peer.model)
    assert before == pytest.approx(loss(peer.network))
    assert [progress.step for _, progress in zip(range(9), peer.run(seconds=6))] == [1, 2, 3, 4, 5, 6]
    assert loss(peer.network) < 0.95 * before
    assert loss(peer.model) < before


def test_time_outside_the_steps_is_free(few, clock, monkeypatch):
    peer = recipe.PeerTraining(few, ResidualMLP, rate=1e-3)
    used = []

    def step(share):
        used.append(share)
        clock.now += 1

    monkeypatch.setattr(peer, "_take_step", step)
    for _ in zip(range(9), peer.run(seconds=10)):  # at most 9: time that stood still would never end
        clock.now += 100
    assert peer.seconds == 10
    assert used == [0, 0.2, 0.4, 0.6, 0.8]


def test_every_weight_has_one_optimiser_and_muon_has_the_inner_matrices(few):
    peer = recipe.PeerTraining(few, ConvNet, rate=1e-3, muon=True)
    name_of = {id(weight): name for name, weight in peer.network.named_parameters()}
    others, inner = (
        {name_of[id(weight)] for group in optimizer.param_groups for weight in group["params"]}
        for optimizer in peer.optimizers
    )
    assert isinstance(peer.optimizers[1], Muon)
    assert len(recipe.PeerTraining(few, ConvNet, rate=1e-3).optimizers) == 1
    assert sorted([*others, *inner]) == sorted(name_of.values())
    assert {"conv_in.weight", "conv_out.weight", "embedding.label_embedding.weight", "down.bias"} <= others
    assert {"down.weight", "middle.1.second.weight", "embedding.time_embedding.0.weight"} <= inner


@pytest.mark.parametrize("shape", [(48, 432), (96, 20), (30, 30)])
def test_orthogonalising_keeps_the_singular_vectors_and_brings_their_values_near_1(shape):
    generator = torch.Generator().manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    s = torch.logspace(0, -2, len(s))
    core = u.T @ orthogonalised(u * s @ v) @ v.T
    values = core.diagonal()
    assert 0.6 < values.min() < values.max() < 1.25
    assert (core - values.diag()).abs().max() < 1e-4


def test_muon_steps_by_a_fifth_of_the_learning_rate_along_the_orthogonalised_gradient():
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(16, 4, 3, 3, generator=generator)
    weight = torch.nn.Parameter(torch.zeros_like(gradient))
    weight.grad = gradient
    Muon([weight], lr=0.1).step()
    moved = -weight.detach()
    torch.testing.assert_close(moved.flatten(1), 0.02 * 6 * orthogonalised(gradient.flatten(1)))
    assert moved.square().mean().sqrt() == pytest.approx(0.02, rel=0.2)


def test_muon_moves_as_torchs_own():
    """Which computes in bfloat16."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(24, 40, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.1),
        torch.optim.Muon([theirs], lr=0.1, weight_decay=0, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(4):
        ours.grad = torch.randn(start.shape, generator=generator)
        theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert (ours - theirs).norm() < 0.02 * (ours - start).norm()


def test_slices_take_turns_and_add_up_to_the_budget():
    diary = []
    trainings = {"a": Sleeper("a", 1, diary), "b": Sleeper("b", 3, diary)}
    benchmark.train_by_turns(trainings, seconds=8, slice_seconds=4)
    assert "".join(diary) == "aaaa" + "bb" + "aaaa" + "b"
    assert [training.seconds for training in trainings.values()] == [8, 9]  # a step is never cut


def test_every_candidate_has_a_colour_and_a_marker_of_its_own():
    assert figure.STYLES.keys() == benchmark.CANDIDATES.keys()
    for looks in zip(*figure.STYLES.values()):
        assert len(set(looks)) == len(benchmark.CANDIDATES)


def test_accuracies_of_0_and_1_can_be_drawn_as_log_odds():
    assert [figure.within(share, samples=100) for share in (0, 0.5, 1)] == [0.005, 0.5, 0.995]


def test_a_tiny_run_prints_its_table_and_writes_json_and_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "EULER_STEPS", 2)
    results, picture = tmp_path / "new" / "training.json", tmp_path / "other" / "quality.png"
    names, budgets = ["flowlib", "residual MLP"], [0.02, 0.05]
    files = ["--results", str(results), "--picture", str(picture)]
    sizes = ["--budgets", "0.05", "0.02", "--samples", "100", "--slice", "0.01"]
    benchmark.main(["--only", *names, *sizes, *files])
    report = json.loads(results.read_text("utf-8"))
    assert {"processor", "cores", "threads", "torch", "date"} == set(report["machine"])
    assert [(row["budget"], row["network"]) for row in report["rows"]] == [
        (budget, name) for budget in budgets for name in names
    ]
    printed = capsys.readouterr().out
    for row in report["rows"]:
        assert row["seconds"] >= row["budget"]
        assert row["ms_a_step"] * row["steps"] == pytest.approx(1000 * row["seconds"])
        assert f"{row['accuracy']:.3f} | " in printed
        assert f"{row['distance']:.1f} | " in printed
        assert f"{row['nearest']:.2f} |" in printed
    assert printed.count("real digits") == 2
    assert report["real"]["accuracy"] > 0.95
    assert report["real"]["nearest"] > 1  # the nearest other digit: each is at distance 0 from itself
    height, width = plt.imread(picture).shape[:2]
    assert width > 1000
    assert height > 500


def test_a_missing_package_leaves_its_candidate_out_and_says_so(capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "NEEDED_BY_TORCHCFM", ("sys", "no_such_package"))
    assert benchmark.present(["flowlib", "torchcfm U-Net"]) == ["flowlib"]
    assert "no_such_package" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong, words",
    [
        (["--budgets", "0"], "above 0"),
        (["--slice", "nan"], "above 0"),
        (["--samples", "64"], "65"),
        (["--only", "flow"], "residual MLP"),
    ],
)
def test_a_wrong_option_is_an_error_that_says_what_is_right(wrong, words, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(wrong)
    assert words in capsys.readouterr().err


def test_choices_are_measured_one_left_out_at_a_time(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "EULER_STEPS", 2)
    results = tmp_path / "choices.json"
    choices.main(["--seconds", "0.05", "--samples", "70", "--results", str(results)])
    report, printed = json.loads(results.read_text()), capsys.readouterr().out
    assert len(report["rows"]) == 5
    for name, row in report["rows"].items():
        assert f"| {name} | {row['accuracy']:.1%} | {row['distance']:.2f} |" in printed


def test_a_training_without_the_gaussians_begins_with_the_same_weights_and_the_field_of_the_noise(few):
    bare, whole = choices.without_gaussians(few).network, fl.Training(few, seed=0).network
    x, t, label = torch.randn(3, 1, 16, 16), torch.rand(3), torch.tensor([0, 1, 2])
    torch.testing.assert_close(bare(x, t, label), fl.VelocityNet()(x, t, label))
    for one, other in zip(bare.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_lesson_09_quotes_what_was_measured():
    report = json.loads(choices.RESULTS.read_text())
    lesson = next(ROOT.glob("notebooks/source/09_*.md")).read_text("utf-8")
    for name, row in report["rows"].items():
        assert f"| {name} | {row['accuracy']:.1%} | {row['distance']:.2f} |" in lesson
    assert f"for {report['seconds']:g} s each" in lesson


def test_the_readme_quotes_what_was_measured():
    report, readme = json.loads(benchmark.RESULTS.read_text()), (ROOT / "README.md").read_text("utf-8")
    for row in report["rows"]:
        if row["budget"] == 60:
            assert (
                f"| {row['network']} | {row['steps']:,} | {row['accuracy']:.1%} | {row['distance']:.1f} |"
                in readme
            )
    (row,) = json.loads(benchmark.RESULTS.with_name("five_minutes.json").read_text())["rows"]
    said = f"After five minutes {row['accuracy']:.1%} of flowlib's digits are read right, at a distance of"
    assert row["budget"] == 300
    assert f"{said} {row['distance']:.2f}" in readme
