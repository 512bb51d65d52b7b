"""The canvas of the drawing explorers in a real browser, with a model that stands for the kernel's."""

import math
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from flowlib.lessons import drawings

SCRIPT = (Path(drawings.__file__).parent / "canvas.js").read_text("utf-8")
SIDE, SCALE, REACH = 16, 14, 4 / 3  # pixels of the drawing; of the page to each; how far ink reaches
BLANK = "0" * SIDE**2
SHOW = """async ([script, value]) => {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const state = { value, description: "drawing" }, listeners = [];
  window.sent = [], window.times = [], window.leaked = [];
  const model = window.model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; listeners.forEach((listener) => listener()); },
    save_changes: () => { sent.push(state.value); times.push(performance.now()); },
    on: (_, listener) => listeners.push(listener),
    off: () => (listeners.length = 0),
  };
  document.addEventListener("keydown", (event) => leaked.push(event.key));
  document.addEventListener("contextmenu", () => leaked.push("menu"));
  window.leave = (await import(url)).default.render({ model, el: document.body });
}"""
SEEN = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, 16, 16);
  const level = (grey) => Math.round(15 * (1 - grey / 255)).toString(16);
  return Array.from({ length: 256 }, (_, k) => level(data[4 * k])).join("");
}"""


@pytest.fixture
def show(new_page):
    """Show a canvas with a drawing on it."""

    def show(value=BLANK, **settings):
        page = new_page(offline=True, **settings)
        page.set_content("<!doctype html><button>before</button>")
        page.evaluate(SHOW, [SCRIPT, value])
        return page

    return show


def place(page, row, column):
    """Where the middle of a pixel of the drawing lies on the page."""
    box = page.locator("canvas").bounding_box()
    return box["x"] + SCALE * (column + 0.5), box["y"] + SCALE * (row + 0.5)


def drag(page, *pixels, button="left"):
    """Draw from pixel to pixel, (row, column) each, with the mouse."""
    page.mouse.move(*place(page, *pixels[0]))
    page.mouse.down(button=button)
    for pixel in pixels[1:]:
        page.mouse.move(*place(page, *pixel), steps=5)
    page.mouse.up(button=button)


def arrived(page):
    """The drawing that the kernel has, once it is what the canvas shows: then nothing more is on its way."""
    canvas = page.locator("canvas").element_handle()
    page.wait_for_function(f"canvas => sent.at(-1) === ({SEEN})(canvas)", arg=canvas)
    return page.evaluate("sent.at(-1)")


def ink(*pixels):
    """The drawing of a stroke from pixel to pixel: each pixel has its ink from the nearest of many points."""
    points = []
    for (r, c), (below, right) in zip(pixels, pixels[1:] or pixels):
        points += [(r + (below - r) * i / 200, c + (right - c) * i / 200) for i in range(201)]
    away = [min(math.dist(point, divmod(k, SIDE)) for point in points) for k in range(SIDE**2)]
    return "".join(f"{round(15 * min(1, max(0, REACH - d))):x}" for d in away)


def seen(page):
    """What the canvas shows, as a drawing."""
    return page.locator("canvas").evaluate(SEEN)


def differ_by_rounding(one, other):
    return max(abs(int(a, 16) - int(b, 16)) for a, b in zip(one, other, strict=True)) <= 1


def test_the_mouse_draws_what_the_kernel_gets_and_the_canvas_shows(show):
    page = show()
    stroke = [(3, 4), (3, 11), (12, 5)]
    drag(page, *stroke)
    got = arrived(page)
    assert differ_by_rounding(got, ink(*stroke))
    assert got[16 * 3 + 4] == got[16 * 3 + 8] == "f" and got.count("0") > 180
    assert seen(page) == got


def test_a_second_stroke_keeps_the_first_and_the_right_button_erases(show):
    page = show()
    drag(page, (2, 2), (2, 13))
    first = arrived(page)
    drag(page, (10, 2), (10, 13))
    both = arrived(page)
    assert both == "".join(map(max, first, ink((10, 2), (10, 13)))) != first
    drag(page, (10, 0), (10, 15), button="right")
    assert arrived(page) == first
    assert page.evaluate("leaked") == []


def test_a_finger_draws_and_does_not_scroll_the_page(show):
    page = show(has_touch=True)
    page.touchscreen.tap(*place(page, 6, 9))
    assert arrived(page) == ink((6, 9))
    assert page.locator("canvas").evaluate("canvas => getComputedStyle(canvas).touchAction") == "none"


@pytest.mark.parametrize("draw, erase", [(" ", "Delete"), ("Enter", "Backspace")])
def test_the_keys_draw_and_erase_and_never_reach_the_notebook(show, draw, erase):
    page = show()
    page.locator("canvas").focus()
    for key in ["ArrowUp"] * 3 + ["ArrowLeft"] * 2 + [draw, "ArrowRight", "ArrowRight", draw]:
        page.keyboard.press(key)
    assert arrived(page) == "".join(map(max, ink((4, 5)), ink((4, 7))))
    page.keyboard.press(erase)
    for key in ["ArrowLeft"] * 2 + [erase]:
        page.keyboard.press(key)
    assert arrived(page) == BLANK
    assert page.evaluate("leaked") == []
    page.keyboard.press("b")  # a key that the canvas does not use is the notebook's
    page.keyboard.press("Control+Enter")
    assert page.evaluate("leaked") == ["b", "Control", "Enter"]


def test_the_cursor_stays_on_the_paper_and_says_where_it_is(show):
    page = show(drawings.READY_MADE["a three"])
    page.locator("canvas").focus()
    for key in ["ArrowUp"] * 9 + ["ArrowRight"] * 20:
        page.keyboard.press(key)
    assert page.get_by_role("status").inner_text().split("\n") == ["row 0", "column 15", "value −1.0"]
    box, paper = (page.locator(name).bounding_box() for name in ("#cursor", "canvas"))
    assert (box["x"] + box["width"], box["y"]) == (paper["x"] + paper["width"], paper["y"])
    for key in ["ArrowLeft"] * 6 + ["ArrowDown"] * 3:
        page.keyboard.press(key)
    assert page.get_by_role("status").inner_text().split("\n")[2] == "value 1.0"


def test_a_long_stroke_sends_at_most_ten_drawings_a_second_and_none_is_lost(show):
    page = show()
    pixels = [(r, c) for r in range(1, 15, 2) for c in (1, 14)]
    drag(page, *pixels)
    got = arrived(page)
    assert differ_by_rounding(got, ink(*pixels)) and got == seen(page)
    times = page.evaluate("times")
    assert all(later - earlier > 95 for earlier, later in pairwise(times))


def test_clear_leaves_a_blank_sheet(show):
    page = show(drawings.READY_MADE["a house"])
    assert seen(page) == drawings.READY_MADE["a house"]
    page.get_by_role("button", name="Clear").click()
    assert arrived(page) == seen(page) == BLANK


def test_a_drawing_that_the_kernel_sets_is_shown_and_a_view_that_goes_sends_its_last_stroke(show):
    page = show()
    page.evaluate("value => model.set('value', value)", drawings.READY_MADE["a three"])
    assert seen(page) == drawings.READY_MADE["a three"]
    page.get_by_role("button", name="Clear").click()
    page.evaluate("leave()")
    assert page.evaluate("sent") == [BLANK]


def test_the_canvas_has_a_name_a_description_and_its_turn_of_the_tab_key(show):
    page = show()
    page.get_by_text("before").focus()
    page.keyboard.press("Tab")
    canvas = page.get_by_role("application", name="drawing, 16 by 16 pixels", exact=True)
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.localName") == "canvas"
    assert page.locator("#cursor").is_visible()
    assert canvas.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    assert "arrows move" in page.locator("#help").inner_text()
    assert canvas.get_attribute("aria-describedby") == "help"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.id") == "clear"
    assert not page.locator("#cursor").is_visible()


def test_the_words_take_the_colour_of_the_theme_and_the_paper_stays_white(show):
    page = show()
    page.evaluate("document.body.style = 'background: #111; --jp-ui-font-color1: rgb(250, 240, 230)'")
    for part in ("#name", "#help", "#place", "#clear"):
        colour = page.locator(part).evaluate("one => getComputedStyle(one).color")
        assert colour == "rgb(250, 240, 230)", part
    assert seen(page) == BLANK


class Impatient:
    """A browser in which anywidget gives a widget's script no time at all, as on a busy machine."""

    def __init__(self, browser):
        self.browser, self.hurried = browser, []

    def new_context(self, **settings):
        context = self.browser.new_context(**settings)
        context.route("**/anywidget/static/*.js", self.hurry)
        return context

    def hurry(self, route):
        answer = route.fetch()
        script, count = re.subn(r"(AbortSignal\.timeout)\(2000\)", r"\1(0)", answer.text())
        self.hurried.append(count)
        route.fulfill(response=answer, body=script)


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True])
def test_in_jupyterlab_the_picture_follows_the_mouse_and_the_keys_and_the_notebook_takes_neither(
    chromium, lab, busy
):
    browser = Impatient(chromium) if busy else chromium
    code = "import flowlib as fl\nfrom flowlib.lessons import lesson_01\n"
    code += "lesson_01.drawing_as_vector(fl.load_digits().only(3))"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code)], metadata={"kernelspec": kernel}
    )
    with lab.open(browser, notebook, "drawing") as page:
        page.run_all()
        picture = page.page.locator(".jupyter-widgets").get_by_role("img")

        def arrives(drawing, what):
            words = f"{SIDE**2 - drawing.count('0')} of the 256 numbers"
            page.wait_until(lambda: picture.get_attribute("alt").startswith(words), what)

        page.page.get_by_role("button", name="Clear").click()
        arrives(BLANK, "Clear")
        drag(page.page, (3, 4), (12, 4))
        arrives(ink((3, 4), (12, 4)), "a stroke of the mouse")
        for key in ["ArrowRight"] * 5 + ["Enter", "ArrowDown", "Backspace", "ArrowRight", "ArrowRight", " "]:
            page.page.keyboard.press(key)
        kept = "".join(
            "0" if math.dist((13, 9), divmod(k, SIDE)) < REACH else level
            for k, level in enumerate(map(max, ink((3, 4), (12, 4)), ink((12, 9))))
        )
        arrives("".join(map(max, kept, ink((13, 11)))), "the keys")
        assert page.cells.count() == 1 and page.prompts() == ["[1]:"]
        assert page.script_errors == page.complaints() == []
        assert not busy or any(browser.hurried)
