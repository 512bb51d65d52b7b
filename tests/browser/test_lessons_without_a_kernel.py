"""Each stored lesson as the web page that nbconvert makes of it: no kernel, no network, or no scripts."""

from functools import cache

import nbformat
import pytest
from build import NOTEBOOKS, SOURCES, WIDGET
from lab import pictures
from nbconvert import HTMLExporter

each_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name[:2])


@cache
def web_page(source) -> str:
    """The lesson as nbconvert's web page."""
    return HTMLExporter().from_filename(str(NOTEBOOKS / f"{source.stem}.ipynb"))[0]


@pytest.fixture
def visit(new_page, tmp_path):
    """Convert a lesson and open it offline."""

    def open_page(source, **settings):
        (tmp_path / "lesson.html").write_text(web_page(source), "utf-8")
        page = new_page(offline=True, **settings)
        page.goto((tmp_path / "lesson.html").as_uri())
        return page

    return open_page


def number_of_players(source) -> int:
    return (NOTEBOOKS / f"{source.stem}.ipynb").read_text("utf-8").count('<div id=\\"flow-')


@each_lesson
def test_all_figures_are_there_and_every_player_opens_still_and_plays(visit, source):
    page = visit(source, reduced_motion="reduce")
    players = page.get_by_role("group", name="Player")
    players.first.wait_for()
    for area in page.locator(".jp-OutputArea", has=players).all():
        player, images = area.get_by_role("group", name="Player"), area.locator("canvas")
        before = pictures(images)
        assert player.get_by_role("slider").last.input_value() == "1"
        player.get_by_role("button", name="Restart").click()
        player.get_by_role("button", name="Pause").click()
        assert pictures(images) != before
    assert players.count() == number_of_players(source)
    broken = "all => all.filter(one => !one.complete || !one.naturalWidth).map(one => one.alt)"
    figures = page.locator("img")
    assert figures.count()
    assert figures.evaluate_all(broken) == []


@each_lesson
def test_without_scripts_a_poster_stands_for_each_player(visit, source):
    page = visit(source, java_script_enabled=False)
    posters = page.locator("[id^=flow-] img")
    assert posters.count() == number_of_players(source)
    for poster in posters.all():
        assert poster.is_visible()
    assert page.get_by_role("group", name="Player").count() == 0


@each_lesson
def test_no_stored_lesson_holds_a_widget(source):
    """A repository's viewer shows them as an error, or as a button that does nothing."""
    notebook = nbformat.read(NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    assert "widgets" not in notebook.metadata
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if WIDGET in output.get("data", {})]
