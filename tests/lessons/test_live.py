import pytest
from ipywidgets import Button

from flowlib.data import load_digits
from flowlib.lessons import live
from flowlib.plots import EXACT
from flowlib.training import Training


@pytest.fixture
def training():
    return Training(load_digits().only(3))


@pytest.fixture
def places(monkeypatch):
    """What stands at each place of the notebook."""
    places = {}
    for act in ("display", "update"):
        monkeypatch.setattr(
            live.DisplayHandle, act, lambda self, page: places.update({self.display_id: page})
        )
    return places


@pytest.fixture
def shown(places, monkeypatch):
    """All pages in their order."""
    pages = []
    inside = live.HTML
    monkeypatch.setattr(live, "HTML", lambda text: pages.append(text) or inside(text))
    return pages


def test_watching_trains_and_ends_with_where_it_stands(training, shown):
    live.watch(training, steps=3)
    assert training.step == 3
    assert '<progress value="1.000"' in shown[-1]
    assert f"step 3 · loss {training.loss:.1f}" in shown[-1]
    assert shown[-1].count("<img ") == 1
    assert "done" in shown[-1]


def test_a_watched_training_that_is_stopped_says_so_and_keeps_what_it_has(training, shown, monkeypatch):
    run = training.run

    def stopped(*budget):
        yield next(run(*budget))
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "run", stopped)
    live.watch(training, steps=3)
    assert training.step == 1
    assert "stopped by hand" in shown[-1]
    monkeypatch.setattr(training, "run", run)
    live.watch(training, steps=3)
    assert training.step == 3


def buttons(places):
    return [page for page in places.values() if isinstance(page, Button)]


def test_the_button_stops_it_before_the_next_step_and_does_not_stay(training, places, shown, monkeypatch):
    run = training.run

    def pressed(*budget):
        for progress in run(*budget):
            if progress.step == 2:
                (button,) = buttons(places)
                button.click()
            yield progress

    monkeypatch.setattr(training, "run", pressed)
    live.watch(training, steps=5)
    assert training.step == 2
    assert "stopped by hand" in shown[-1]
    assert not buttons(places)


def test_a_training_that_fails_leaves_no_dead_button(training, places, monkeypatch):
    def failing(*budget):
        assert buttons(places)
        raise RuntimeError("the loss is nan")
        yield

    monkeypatch.setattr(training, "run", failing)
    with pytest.raises(RuntimeError):
        live.watch(training, steps=5)
    assert not buttons(places)


def test_what_is_shown_is_made_by_the_averaged_model(training, shown, monkeypatch):
    makers, inside = [], live.generate
    monkeypatch.setattr(
        live, "generate", lambda model, *a, **k: makers.append(model) or inside(model, *a, **k)
    )
    live.watch(training, steps=2)
    assert makers
    assert all(maker is training.model for maker in makers)


def test_a_known_floor_is_drawn_under_the_loss_and_named(training, shown, monkeypatch):
    lines, inside = [], live.figure_html

    def spied(figure, alt):
        lines.append([(line.get_color(), *line.get_ydata()) for line in figure.axes[0].lines])
        return inside(figure, alt)

    monkeypatch.setattr(live, "figure_html", spied)
    live.watch(training, steps=2, floor=19.96)
    assert (EXACT, 19.96, 19.96) in lines[-1]
    assert "over an exact floor of 20.0" in shown[-1]
    live.watch(training, steps=3)
    assert len(lines[-1]) == 1
    assert "floor" not in shown[-1]


@pytest.mark.parametrize("floor", [-1.0, float("nan"), float("inf")])
def test_a_floor_that_no_loss_can_have_is_refused_before_any_training(training, shown, floor):
    with pytest.raises(ValueError, match="floor"):
        live.watch(training, steps=1, floor=floor)
    assert training.step == 0


@pytest.mark.parametrize(
    "cap, budget, seconds", [("2", 60, 2), ("2", 1, 1), ("2", None, 2), ("", 60, 60), ("inf", 60, 60)]
)
def test_no_training_takes_more_seconds_than_the_cap(training, monkeypatch, cap, budget, seconds):
    monkeypatch.setenv("FLOWLIB_LIVE_SECONDS", cap)
    budgets = []
    monkeypatch.setattr(training, "run", lambda *budget: budgets.append(budget) or [])
    live.watch(training, steps=3, seconds=budget)
    assert budgets == [(3, seconds)]


def test_without_a_cap_a_budget_of_steps_has_no_seconds(training, monkeypatch):
    monkeypatch.delenv("FLOWLIB_LIVE_SECONDS", raising=False)
    budgets = []
    monkeypatch.setattr(training, "run", lambda *budget: budgets.append(budget) or [])
    live.watch(training, steps=3)
    assert budgets == [(3, None)]


@pytest.mark.parametrize("cap", ["0", "-1", "nan", "a minute"])
def test_a_cap_that_is_no_time_is_refused(training, monkeypatch, cap):
    monkeypatch.setenv("FLOWLIB_LIVE_SECONDS", cap)
    with pytest.raises(ValueError, match="FLOWLIB_LIVE_SECONDS needs a number of seconds above 0"):
        live.watch(training, seconds=1)


def test_a_cap_is_no_budget(training, monkeypatch):
    monkeypatch.setenv("FLOWLIB_LIVE_SECONDS", "2")
    with pytest.raises(ValueError, match=r"steps= or seconds="):
        live.watch(training)
