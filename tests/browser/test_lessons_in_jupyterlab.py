"""Each lesson as a reader runs it: Run All in JupyterLab, then every control by key or click."""

import re

import pytest
from build import SOURCES, read_source
from lab import pictures

pytestmark = pytest.mark.slow
CONTROLS = "[role=slider], select, button, input, textarea"
PLAY_A_LITTLE = """async (controls) => {
  const canvases = [...controls.getRootNode().querySelectorAll("canvas")];
  const [restart, play] = ["restart", "play"].map((name) => controls.querySelector("#" + name));
  const shown = () => canvases.map((one) => one.toDataURL()).join();
  restart.click();
  const first = shown();
  while (shown() === first) await new Promise(requestAnimationFrame);
  if (play.textContent === "Pause") play.click();  // it has not come to its end yet
}"""


@pytest.fixture(scope="module", params=SOURCES, ids=lambda source: source.name[:2])
def lesson(request, chromium, lab):
    """The lesson after Run All. Its trainings would last for ten minutes, did their Stop buttons not work."""
    notebook, watched, explorers = read_source(request.param), [], []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "live.watch(" in cell.source:
            cell.source, budgets = re.subn(r"\bseconds=\d+", "seconds=600", cell.source)
            watched += [place] * budgets
        if "explorer" in cell.metadata.get("tags", []):
            explorers.append(place)
    assert watched
    with lab.open(chromium, notebook, request.param.stem) as page:
        page.run_all()
        for place in watched:
            stop(page, page.cells.nth(place))
        page.wait_until(lambda: not any("*" in prompt for prompt in page.prompts()), "Run All")
        page.explorers = [page.cells.nth(place) for place in explorers]
        yield page


def stop(page, cell) -> None:
    """Watch a training begin, and stop it by its button."""
    bar, button = cell.get_by_role("progressbar", name="training"), cell.get_by_role("button", name="Stop")
    page.wait_until(bar.count, "a training's progress")
    early = bar.get_attribute("value")
    page.wait_until(lambda: bar.get_attribute("value") > early, "progress goes on")
    button.click()
    page.wait_until(cell.get_by_text("stopped by hand").count, "Stop")
    page.wait_until(lambda: not button.count(), "a dead button goes")


def outputs(page):
    """The outputs of each cell that has some."""
    return page.page.locator(".jp-Notebook .jp-Cell-outputArea:not(:empty)").all()


def players(page):
    """Each player, and the images that its cell shows."""
    for cell in outputs(page):
        for player in cell.get_by_role("group", name="Player").all():
            yield player, cell.locator("canvas")


def test_every_cell_runs_without_a_complaint(lesson):
    assert [prompt for prompt in lesson.prompts() if prompt and not re.search(r"\d", prompt)] == []
    assert lesson.complaints() == []
    assert lesson.explorers
    for cell in lesson.explorers:
        cell.locator(".jupyter-widgets").get_by_role("img").first.wait_for()


def test_every_control_has_a_name(lesson):
    from playwright.sync_api import expect

    found = lesson.page.locator(f".jp-OutputArea :is({CONTROLS}, [contenteditable=true], [tabindex='0'])")
    for control in found.all():
        expect(control).to_have_accessible_name(re.compile(r"\S"))
    for slider in lesson.page.locator(".jupyter-widgets .widget-slider").all():
        name = slider.locator(".widget-label").text_content()
        assert slider.get_by_role("slider", name=name, exact=True).count() == 1


def test_every_control_of_an_explorer_changes_the_picture_of_its_cell(lesson):
    moved = 0
    for cell in outputs(lesson):
        drawn = cell.locator(".jupyter-widgets img")
        for control in cell.locator(f".jupyter-widgets :is({CONTROLS}):visible").all():
            before = pictures(drawn)
            name = move(control)
            lesson.wait_until(lambda: pictures(drawn) != before, f"{name} changes a picture")  # noqa: B023
            moved += 1
    assert moved
    assert lesson.complaints() == []


def move(control) -> str:
    """Operate a control once, in a direction in which it can go; returns its name."""
    kind, at_end, name = control.evaluate(
        """one => [one.localName,
          one.localName === "select" ? one.selectedIndex === one.length - 1
            : (one.ariaValueNow ?? one.value) === (one.ariaValueMax ?? one.max),
          one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent]"""
    )
    if kind == "button":
        control.click()
    elif kind == "select":
        control.press("ArrowUp" if at_end else "ArrowDown")
    else:
        control.press("ArrowLeft" if at_end else "ArrowRight")
    return name


def test_a_player_obeys_the_keys_and_the_notebook_does_not_take_them(lesson):
    spy = "window.taken = []; document.addEventListener('keydown', (event) => taken.push(event.key))"
    lesson.page.evaluate(spy)
    for player, images in players(lesson):
        for slider in player.get_by_role("slider").all():
            slider.focus()
            seen = [(slider.input_value(), pictures(images))]
            for key in ("Home", "ArrowRight", "ArrowLeft", "End"):
                slider.press(key)
                seen.append((slider.input_value(), pictures(images)))
            (_, _), (low, first), (middle, second), (back, again), (high, last) = seen
            assert 0 == float(low) == float(back) < float(middle) <= float(high) == 1
            short = slider.get_attribute("aria-label") == "Training step"  # stopped early, it has two moments
            assert short or float(middle) < 1
            assert first == again != second and first != last == seen[0][1]
            assert slider.evaluate("one => one.getRootNode().activeElement === one")
            assert lesson.page.evaluate("taken") == []
            slider.click()  # in its middle
            assert 0 < float(slider.input_value()) < 1


def test_a_player_plays_and_pauses(lesson):
    """All in the page, where no time is lost between a click and a look."""
    for player, images in players(lesson):
        player.evaluate(PLAY_A_LITTLE)
        held = pictures(images)
        lesson.page.wait_for_timeout(200)
        assert pictures(images) == held
        player.get_by_role("button", name="Play").wait_for()


def test_no_script_failed(lesson):
    assert lesson.script_errors == []
