"""The trajectory player: what it stores, what it refuses, and what it does in a real browser."""

import base64
import io
import json
import re
import zlib
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from flowlib.animations import Player, training_player, trajectory_player
from flowlib.solvers import Trajectory

HOSTILE = '</script><img src=x onerror="window.hacked = 1"><!-- & \' `${window.hacked = 1}` </div>'


def blend(batch=5, times=6, height=16, width=16, seed=0):
    """Noise that turns into smooth pictures along straight lines."""
    noise = torch.randn(batch, 1, height, width, generator=torch.Generator().manual_seed(seed))
    across = torch.linspace(-3, 3, width) + torch.arange(batch).view(-1, 1, 1, 1)
    data = torch.sin(across + torch.linspace(0, 4, height).view(-1, 1))
    ts = torch.linspace(0, 1, times, dtype=torch.float64)
    return Trajectory(ts, torch.stack([(1 - t) * noise + t * data for t in ts]).float())


MOMENTS = (0, 16, 1536)


def stages(batch=5, steps=MOMENTS, **shape):
    """Trajectories from the same noise, whose ends are fainter the earlier the step."""
    done = blend(batch, **shape)
    ends = {step: (0.5 + 0.5 * step / steps[-1]) * done.xs[-1] for step in steps}
    t = done.ts.view(-1, 1, 1, 1, 1)
    return {step: Trajectory(done.ts, ((1 - t) * done.xs[0] + t * end).float()) for step, end in ends.items()}


def film(html):
    """The data that the page hands to its script."""
    return json.JSONDecoder().raw_decode(html, html.index('{"states"'))[0]


def decoded(html):
    """The states `(time × step, batch, height, width)` that the page holds: an oracle in plain loops."""
    data = film(html)
    stored = zlib.decompress(base64.b64decode(data["states"]))
    count = len(data["ts"]) * len(data["steps"] or [0])
    size = len(stored) // count
    states = bytearray(stored[:size])
    for i in range(size, len(stored)):
        states.append((states[i - size] + stored[i]) % 256)
    values = [(byte - 256 if byte > 127 else byte) / 32 for byte in states]
    return np.reshape(values, (count, -1, data["height"], data["width"]))


def poster(html):
    """The grey levels, 0 to 255, of the picture that stands where scripts do not run."""
    picture = re.search(r'<img src="data:image/png;base64,([^"]+)"', html).group(1)
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(picture))) * 255


def grey(images):
    """The grey levels, 0 to 255, of images in [-1, 1]: -1 is white paper, 1 is black ink."""
    return np.clip(127.5 - 127.5 * np.asarray(images), 0, 255)


# What the page holds


@pytest.mark.parametrize("height, width", [(16, 16), (28, 28), (5, 9)])
def test_the_page_holds_every_state_within_half_a_step_of_1_32(height, width):
    trajectory = blend(height=height, width=width)
    stored = decoded(trajectory_player(trajectory).html)
    assert np.abs(stored - trajectory.xs[:, :, 0].clamp(-4, 127 / 32).numpy()).max() <= 1 / 64 + 1e-6
    assert film(trajectory_player(trajectory).html)["ts"] == trajectory.ts.tolist()


def test_white_black_and_grey_are_stored_exactly_and_noise_keeps_its_size_up_to_four():
    xs = torch.tensor([-1.0, 0.0, 1.0, 3.5, -9.0, 9.0]).expand(2, 1, 1, 1, 6)
    stored = decoded(trajectory_player(Trajectory(torch.tensor([0.0, 1.0]), xs)).html)
    assert stored[1].ravel().tolist() == [-1.0, 0.0, 1.0, 3.5, -4.0, 127 / 32]


def test_images_without_a_channel_axis_make_the_same_player():
    trajectory = blend()
    flat = Trajectory(trajectory.ts, trajectory.xs[:, :, 0])
    assert film(trajectory_player(flat).html) == film(trajectory_player(trajectory).html)


def test_half_precision_and_gradients_are_accepted():
    trajectory = blend()
    xs = trajectory.xs.to(torch.bfloat16).requires_grad_()
    exact = Trajectory(trajectory.ts, xs.detach().double())
    assert film(trajectory_player(Trajectory(trajectory.ts, xs)).html) == film(trajectory_player(exact).html)


def test_the_poster_shows_images_as_rows_and_time_from_left_to_right():
    trajectory = blend(batch=3, times=4)
    picture = poster(trajectory_player(trajectory).html)
    assert picture.shape == (3 * 54 - 6, 4 * 54 - 6)  # 16 pixels, three times as large, 6 between
    for image in range(3):
        for time in range(4):
            cell = picture[54 * image : 54 * image + 48 : 3, 54 * time : 54 * time + 48 : 3]
            assert np.abs(cell - grey(trajectory.xs[time, image, 0])).max() <= 3


def test_the_poster_stays_small_and_shows_the_first_images_at_times_evenly_spread():
    trajectory = blend(batch=40, times=101)
    trajectory = Trajectory(trajectory.ts**2, trajectory.xs)
    picture = poster(trajectory_player(trajectory).html)
    assert picture.shape == (8 * 54 - 6, 8 * 54 - 6)
    for column in range(8):
        k = min(range(101), key=lambda k: abs(trajectory.ts[k].item() - column / 7))
        cells = picture[:, 54 * column : 54 * column + 48 : 3]
        for row in range(8):
            cell = cells[54 * row : 54 * row + 48 : 3]
            assert np.abs(cell - grey(trajectory.xs[k, row, 0])).max() <= 3


@pytest.mark.parametrize("batch, shown", [(9, "8 of 9 images"), (8, "Each image")])
def test_the_words_below_the_poster_say_what_of_the_film_it_shows(batch, shown):
    xs = blend(batch=batch, times=3).xs
    html = trajectory_player(Trajectory(torch.tensor([0.25, 0.5, 0.875]), xs), title="<waves>").html
    assert f"<p>{shown}, one a row, from t = 0.25 (left) to t = 0.88 (right).</p>" in html
    assert html.index("<p><strong>&lt;waves&gt;</strong></p>") < html.index("<img")
    assert "<strong>" not in trajectory_player(blend()).html
    steps = {step: Trajectory(torch.tensor([0.0, 0.5, 0.75]), xs) for step in range(0, 9000, 1000)}
    rows = "0, 1,000, 2,000, 3,000, 5,000, 6,000, 7,000, 8,000"
    words = f"<p>{shown}, one a column, at t = 0.75; a row for each of the training steps {rows}.</p>"
    assert words in training_player(steps).html


def test_the_words_count_the_images_and_the_states_and_name_both_ends():
    words = "5 images, from noise at t = 0 to data at t = 1; 6 states"
    html = trajectory_player(blend()).html
    assert film(html)["alt"] == words and f'alt="{words}"' in html
    backwards = Trajectory(torch.tensor([1.0, 0.25]), blend(batch=1, times=2).xs)
    words = film(trajectory_player(backwards, captions=torch.tensor([7])).html)["alt"]
    assert words == "1 image, from data at t = 1 to t = 0.25; 2 states; captions: 7"
    words = film(trajectory_player(blend(), captions=["exact", "exact", "exact", "made", "made"]).html)["alt"]
    assert words.endswith("captions: 3 × exact, 2 × made")
    assert film(trajectory_player(blend(), alt="five waves").html)["alt"] == "five waves"


def test_unless_told_a_run_takes_three_seconds_and_one_along_a_training_six():
    assert film(trajectory_player(blend()).html)["seconds"] == 3
    assert film(training_player(stages()).html)["seconds"] == 6


def test_the_page_asks_the_network_for_nothing():
    html = trajectory_player(blend(), captions="abcde", title="waves").html
    assert not re.search(r"https?://|src\s*=\s*.?//|@import|url\(|fetch\(|import\(", html)


def test_no_text_of_the_users_can_leave_its_place():
    html = trajectory_player(blend(), captions=[HOSTILE] * 5, title=HOSTILE, alt=HOSTILE).html
    assert [html.count(text) for text in ("</script", "<!--", "<img src=x")] == [1, 0, 0]
    assert film(html)["captions"] == [HOSTILE] * 5


def test_two_players_have_different_ids():
    first, second = (re.search(r'<div id="([^"]+)"', trajectory_player(blend()).html).group(1) for _ in "12")
    assert first != second


def test_a_notebook_gets_the_player_and_for_other_viewers_its_poster_and_its_words():
    player = training_player(stages(), title="waves", alt="five waves")
    views, about = DisplayFormatter().format(player)
    assert views.keys() == {"text/html", "image/png", "text/plain"}
    assert views["text/html"] == player.html
    still = matplotlib.image.imread(io.BytesIO(base64.b64decode(views["image/png"]))) * 255
    assert (still == poster(player.html)).all()
    assert (views["text/plain"], about) == ("five waves", {"image/png": {"alt": "five waves"}})
    assert repr(player) == "Player(title='waves')"


@pytest.mark.parametrize("folder", [".", "", "..", "made"])
def test_a_folder_is_no_name_for_a_player(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    with pytest.raises(ValueError, match=r'name of a file, "player.html", but .* is a folder'):
        trajectory_player(blend()).save(folder)


def test_save_writes_a_complete_page_and_leaves_nothing_else(tmp_path):
    player = trajectory_player(blend(), title="a < b · 数字")
    player.save(tmp_path / "player.html")
    page = (tmp_path / "player.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and '<meta charset="utf-8">' in page
    assert "<title>a &lt; b · 数字</title>" in page and player.html in page
    assert [path.name for path in tmp_path.iterdir()] == ["player.html"]


def test_a_training_holds_every_state_of_every_step_by_time_and_then_by_step():
    trajectories = stages()
    html = training_player(dict(reversed(trajectories.items()))).html  # in any order
    xs = torch.stack([trajectories[step].xs[:, :, 0] for step in MOMENTS], dim=1)
    assert np.abs(decoded(html) - xs.flatten(0, 1).clamp(-4, 127 / 32).numpy()).max() <= 1 / 64 + 1e-6
    assert film(html)["steps"] == list(MOMENTS) and film(html)["ts"] == trajectories[0].ts.tolist()
    assert film(trajectory_player(trajectories[0]).html)["steps"] is None


def test_the_poster_of_a_training_has_a_row_for_each_step_of_the_first_images_at_the_last_time():
    trajectories = stages(batch=10)
    html = training_player(trajectories).html
    picture = poster(html)
    assert picture.shape == (3 * 54 - 6, 8 * 54 - 6)
    for row, step in enumerate(MOMENTS):
        for image in range(8):
            cell = picture[54 * row : 54 * row + 48 : 3, 54 * image : 54 * image + 48 : 3]
            assert np.abs(cell - grey(trajectories[step].end[image, 0])).max() <= 3
    assert "at t = 1.00; a row for each of the training steps 0, 16, 1,536." in html


def test_the_words_of_a_training_tell_how_far_each_step_is_from_the_last():
    ts, xs = torch.tensor([0.0, 1.0]), torch.zeros(2, 4, 1, 16, 16)
    ends = {0: -1.0, 8: -0.25, 1200: 0.5}
    trajectories = {k: Trajectory(ts, torch.stack([xs[0], xs[1] + end])) for k, end in ends.items()}
    alt = film(training_player(trajectories, captions="abcd").html)["alt"]
    assert alt == (
        "4 images, from noise at t = 0 to data at t = 1; 2 states; captions: a, b, c, d; at 3 moments of a "
        "training. At the last t, the mean pixel differs from that of the last step, 1,200, by 1.50 at step "
        "0, 0.75 at step 8"
    )
    assert f'alt="{alt}"' in training_player(trajectories, captions="abcd").html


def test_16_noises_at_14_steps_and_13_times_fit_in_400_kb():
    steps = [0, *(round(16 * 1.5**k) for k in range(12)), 1600]
    html = training_player(stages(batch=16, times=13, steps=steps)).html
    assert len(html) < 400_000


def test_64_digits_and_60_states_fit_in_half_a_megabyte():
    html = trajectory_player(blend(batch=64, times=60)).html
    assert len(html) < 500_000


# What it refuses


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda ts, xs: (ts, xs.flatten(2)), r"\(time, batch, 1, height, width\).*\(6, 5, 256\).*xs.view"),
        (lambda ts, xs: (ts, xs.expand(-1, -1, 3, -1, -1)), r"one grey image.*\(6, 5, 3, 16, 16\)"),
        (lambda ts, xs: (ts, xs[:, :0]), r"\(6, 0, 1, 16, 16\)"),
        (lambda ts, xs: (ts[:0], xs[:0]), r"\(0, 5, 1, 16, 16\)"),
        (lambda ts, xs: (ts[:1], xs[:1]), "at least two finite times"),
        (lambda ts, xs: (ts[:-1], xs), r"one time per state, shape \(6,\), but has shape \(5,\)"),
        (lambda ts, xs: (ts.round(), xs), "rise or fall throughout"),
        (lambda ts, xs: (ts / ts[-1:].sub(1), xs), "rise or fall throughout"),
        (lambda ts, xs: (ts, xs.index_fill(0, torch.tensor([2]), torch.nan)), "finite numbers.*at t = 0.4"),
        (lambda ts, xs: (ts, xs.index_fill(0, torch.tensor([5]), torch.inf)), "finite numbers.*at t = 1"),
    ],
)
def test_other_shapes_times_and_numbers_are_refused_with_a_reason(change, message):
    trajectory = blend()
    with pytest.raises(ValueError, match=message):
        trajectory_player(Trajectory(*change(trajectory.ts, trajectory.xs)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"captions": ["one"]}, "5 images need as many captions, but there are 1"),
        ({"columns": 0}, "columns"),
        ({"columns": 2.5}, "columns"),
        ({"seconds": 0}, "seconds"),
        ({"alt": " "}, "words for those who cannot see it"),
        ({"seconds": float("nan")}, "seconds"),
    ],
)
def test_a_wrong_argument_is_refused_with_a_reason(arguments, message):
    with pytest.raises(ValueError, match=message):
        trajectory_player(blend(), **arguments)


def _spoiled(change):
    """`stages`, with the trajectory of step 16 changed."""
    trajectories = stages()
    trajectories[16] = Trajectory(*change(trajectories[16].ts, trajectories[16].xs))
    return trajectories


@pytest.mark.parametrize(
    "trajectories, message",
    [
        (blend(), r"\{step: trajectory\}, such as snapshots.up_to_now\(\)"),
        ({"0": blend(), "16": blend()}, r"\{step: trajectory\}"),
        ({0.5: blend(), 1.5: blend()}, r"\{step: trajectory\}"),
        ({}, r"two steps or more, but has them at \[\]"),
        ({16: blend()}, r"two steps or more, but has them at \[16\]"),
        (
            _spoiled(lambda ts, xs: (ts, xs[:, :4])),
            r"steps 0 and 16 have \(6, 5, 16, 16\) and \(6, 4, 16, 16\)",
        ),
        (_spoiled(lambda ts, xs: (ts[1:], xs[1:])), "same times"),
        (_spoiled(lambda ts, xs: (ts**2, xs)), "or other times"),
        (_spoiled(lambda ts, xs: (ts, xs / 0)), "finite numbers.*at t = 0"),
    ],
)
def test_trajectories_that_make_no_training_are_refused_with_a_reason(trajectories, message):
    with pytest.raises(ValueError, match=message):
        training_player(trajectories)


# What it does in a browser


@pytest.fixture
def visit(new_page, tmp_path):
    """Save a player, open its file, and return the page; an error on its console fails the test."""
    errors = []

    def open_page(player: Player, stopped=False, **settings):
        player.save(tmp_path / "player.html")
        page = new_page(offline=True, **settings)
        if stopped:  # from now on, time passes on this page only as the test says
            page.clock.install(time=0)
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto((tmp_path / "player.html").as_uri())
        if settings.get("java_script_enabled", True):
            page.locator("canvas").first.wait_for()
        if stopped:
            page.clock.pause_at(3_600_000)
        return page

    yield open_page
    assert not errors


def pixels(page):
    """The grey levels on the canvases, `(batch, height, width)`."""
    canvases = page.locator("canvas")
    height, width = canvases.first.evaluate("canvas => [canvas.height, canvas.width]")
    read = f"all => all.map(one => [...one.getContext('2d').getImageData(0, 0, {width}, {height}).data])"
    colours = np.reshape(canvases.evaluate_all(read), (-1, height, width, 4))
    assert (colours[..., 3] == 255).all() and (colours[..., :1] == colours[..., :3]).all()
    return colours[..., 0]


def assert_shows(page, images):
    assert np.abs(pixels(page) - grey(images[:, 0])).max() <= 2.5  # 127.5 / 64, and rounding


def wait_until(page, condition):
    """Wait for what a slow machine may show late."""
    for _ in range(6000):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail("it did not happen in five minutes")


def readout(page):
    return page.locator("#time").inner_text()


def test_it_opens_still_at_the_last_state_and_asks_for_nothing(visit):
    trajectory = blend()
    page = visit(trajectory_player(trajectory))
    page.wait_for_timeout(300)
    assert_shows(page, trajectory.xs[-1])
    assert readout(page) == "t = 1.00" and not page.locator("img").is_visible()
    assert all(url.startswith(("file:", "data:")) for url in page.requests)


def test_reduced_motion_opens_still_too_and_plays_when_asked(visit):
    page = visit(trajectory_player(blend(), seconds=0.2), reduced_motion="reduce")
    page.wait_for_timeout(300)
    assert readout(page) == "t = 1.00" and page.locator("#play").inner_text() == "Play"


def test_every_control_has_a_name(visit):
    page = visit(trajectory_player(blend(), alt="five waves"))
    names = [("button", "Play"), ("button", "Restart"), ("slider", "Time t"), ("img", "five waves")]
    for role, name in names:
        page.get_by_role(role, name=name, exact=True).wait_for()


def test_play_moves_the_pictures_and_pause_stops_them(visit):
    page = visit(trajectory_player(blend(), seconds=20))
    page.get_by_role("button", name="Play").click()
    early = pixels(page)
    wait_until(page, lambda: (pixels(page) != early).any())
    page.get_by_role("button", name="Pause").click()
    held = pixels(page)
    page.wait_for_timeout(200)
    assert (pixels(page) == held).all() and page.locator("#play").inner_text() == "Play"


@pytest.mark.parametrize(
    "player, control, seconds",
    [
        (lambda: trajectory_player(blend(), seconds=8), "#scrub", 8),
        (lambda: training_player(stages(steps=range(101)), seconds=2.5), "#train", 2.5),
    ],
    ids=["trajectory", "training"],
)
def test_a_run_takes_its_seconds_at_an_even_pace(visit, player, control, seconds):
    page = visit(player(), stopped=True)
    page.get_by_role("button", name="Restart").click()
    for share in (0.25, 0.5, 0.75):
        page.clock.run_for(round(250 * seconds))
        place = float(page.locator(control).input_value())
        assert place == pytest.approx(share, abs=0.015 + 0.02 / seconds)  # a step, or a frame
        done = page.locator(control).evaluate("one => parseFloat(one.style.getPropertyValue('--done'))")
        assert done == pytest.approx(100 * place)
    assert page.locator("#play").inner_text() == "Pause"
    page.clock.run_for(round(250 * seconds) + 50)
    assert page.locator(control).input_value() == "1" and page.locator("#play").inner_text() == "Play"
    page.clock.run_for(1000)
    assert page.locator(control).input_value() == "1"  # it ran once


def test_a_page_that_slept_and_a_run_that_was_paused_go_on_where_they_were(visit):
    page = visit(trajectory_player(blend(), seconds=10), stopped=True)

    def place():
        return float(page.locator("#scrub").input_value())

    page.get_by_role("button", name="Restart").click()
    page.clock.run_for(2000)
    assert place() == pytest.approx(0.2, abs=0.005)
    page.clock.fast_forward(600_000)  # ten minutes in the background
    assert place() == pytest.approx(0.21, abs=0.01)
    page.locator("canvas").first.click()
    paused = place()
    page.clock.run_for(5000)
    assert place() == paused
    page.locator("canvas").last.click()
    page.clock.run_for(1000)
    assert place() == pytest.approx(paused + 0.1, abs=0.005)


@pytest.mark.parametrize("columns, shown", [(3, 3), (9, 5)])
def test_images_stand_in_so_many_columns_each_over_its_own_caption(visit, columns, shown):
    trajectory = blend()
    page = visit(trajectory_player(trajectory, ["a", "b", "c", "d", "e"], columns=columns, title="waves"))
    assert_shows(page, trajectory.xs[-1])
    boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
    captions = page.locator("figcaption").all()
    step = boxes[0]["width"] + 6
    assert boxes[0]["width"] == boxes[0]["height"] == 16 * {3: 8, 5: 5}[shown]
    for i, (box, caption) in enumerate(zip(boxes, captions, strict=True)):
        assert box["x"] - boxes[0]["x"] == pytest.approx(step * (i % shown), abs=0.5)
        above = boxes[i - shown] if i >= shown else {"y": -1}
        assert box["y"] > above["y"] and box["y"] == boxes[i - i % shown]["y"]
        below = caption.bounding_box()
        assert caption.inner_text() == "abcde"[i]
        assert below["x"] == box["x"] and 0 <= below["y"] - box["y"] - box["height"] < 5
    assert page.locator("#title").inner_text() == page.title() == "waves"
    assert page.locator("#title").bounding_box()["y"] < boxes[0]["y"]


def to_the_start_overheard(page) -> None:
    """Press Home on the slider for t; `leaked` holds this and every later key that the page hears of."""
    page.evaluate("window.leaked = []; document.addEventListener('keydown', event => leaked.push(event.key))")
    page.locator("#scrub").focus()
    page.keyboard.press("Home")


def record(page, place: str) -> None:
    """Keep every text that this element shows from now on, in the page's list `seen`."""
    page.locator(place).evaluate(
        "one => { window.seen = [];"
        " new MutationObserver(() => seen.push(one.textContent)).observe(one, { childList: true }); }"
    )


def test_it_plays_to_the_end_and_holds_the_last_state(visit):
    trajectory = blend()
    page = visit(trajectory_player(trajectory, seconds=2))
    record(page, "#time")
    page.get_by_role("button", name="Restart").click()
    wait_until(page, lambda: page.evaluate("seen.at(-1)") == "t = 1.00")
    seen = page.evaluate("seen")
    assert seen == sorted(seen) and seen[0] == "t = 0.00" and len(seen) > 2
    page.get_by_role("button", name="Play").wait_for()
    assert_shows(page, trajectory.xs[-1])


def test_the_keys_go_to_each_stored_state_and_never_reach_the_notebook(visit):
    trajectory = blend()
    page = visit(trajectory_player(trajectory))
    to_the_start_overheard(page)
    assert_shows(page, trajectory.xs[0])
    for k, t in enumerate(trajectory.ts):
        assert readout(page) == f"t = {t:.2f}"
        assert_shows(page, trajectory.xs[k])
        page.keyboard.press("ArrowRight")
    for k in (4, 3, 2, 1, 0, 0):
        page.keyboard.press("ArrowLeft")
        assert_shows(page, trajectory.xs[k])
    page.keyboard.press("End")
    assert_shows(page, trajectory.xs[-1])
    assert page.evaluate("leaked") == []
    page.keyboard.press("b")  # a key that the player does not use is the notebook's
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate("leaked") == ["b", "Shift", "ArrowRight"]


@pytest.mark.parametrize("focus", ["#scrub", "#play"])
def test_space_plays_and_pauses_once_wherever_the_focus_is(visit, focus):
    page = visit(trajectory_player(blend(), seconds=60))
    page.locator(focus).focus()
    for label in ("Pause", "Play", "Pause"):
        page.keyboard.press(" ")
        assert page.locator("#play").inner_text() == label


def test_between_two_states_pixels_move_in_a_straight_line_even_beyond_black_and_white(visit):
    xs = torch.tensor([[3.0, -3.0, 1.0, 0.0], [-1.0, 1.0, -1.0, 0.5]]).view(2, 1, 1, 1, 4)
    page = visit(trajectory_player(Trajectory(torch.tensor([0.2, 0.6]), xs)))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        page.locator("#scrub").fill(str(share))
        assert_shows(page, (1 - share) * xs[0] + share * xs[1])
        assert readout(page) == f"t = {0.2 + 0.4 * share:.2f}"


def test_uneven_times_and_times_that_fall_keep_their_places(visit):
    xs = torch.tensor([-1.0, 1.0, 0.0]).view(3, 1, 1, 1, 1)
    page = visit(trajectory_player(Trajectory(torch.tensor([1.0, 0.25, 0.0]), xs)))
    for place, t, value in [(0.0, 1.0, -1.0), (0.375, 0.625, 0.0), (0.75, 0.25, 1.0), (1.0, 0.0, 0.0)]:
        page.locator("#scrub").fill(str(place))
        assert_shows(page, torch.full((1, 1, 1, 1), value))
        assert float(readout(page)[4:]) == pytest.approx(t, abs=0.006)


def test_the_poster_is_there_without_scripts_and_no_dead_button(visit):
    page = visit(trajectory_player(blend(), title="waves"), java_script_enabled=False)
    assert page.locator("img").is_visible() and page.get_by_text("from t = 0.00 (left)").is_visible()
    assert page.get_by_text("waves", exact=True).is_visible()
    assert page.locator("button, input, canvas").count() == 0


def test_hostile_words_are_shown_as_they_are(visit):
    page = visit(trajectory_player(blend(), captions=[HOSTILE] * 5, title=HOSTILE, alt=HOSTILE))
    assert page.evaluate("window.hacked === undefined")
    assert page.title() == HOSTILE
    assert page.locator("figcaption").all_text_contents() == [HOSTILE] * 5
    assert page.locator("#title").text_content() == HOSTILE
    assert page.locator("#images").get_attribute("aria-label") == HOSTILE


@pytest.mark.parametrize("width", [1200, 560, 440])
def test_a_word_below_an_image_stands_on_one_line(visit, width):
    player = trajectory_player(blend(batch=10), captions=["learned"] * 10, columns=10)
    page = visit(player, viewport={"width": width, "height": 600})
    lines = """caption => {
      const range = document.createRange();
      range.selectNodeContents(caption);
      return new Set([...range.getClientRects()].map(({ top }) => top)).size;
    }"""
    captions = page.locator("figcaption").all()
    assert [caption.evaluate(lines) for caption in captions] == [1] * 10


def test_players_on_one_page_do_not_disturb_each_other_even_the_same_one_twice(visit):
    one, other = trajectory_player(blend(), seconds=60), trajectory_player(blend(seed=1), seconds=60)
    page = visit(replace(one, html="\n".join([one.html, one.html, other.html])))
    page.locator("#play").nth(2).wait_for()
    page.locator("#scrub").nth(1).fill("0.5")
    assert page.locator("#time").all_inner_texts() == ["t = 1.00", "t = 0.50", "t = 1.00"]


def test_the_player_fits_a_narrow_page(visit):
    page = visit(trajectory_player(blend(batch=64)), viewport={"width": 320, "height": 600})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_stands_out_at_least_3_to_1(visit, scheme):
    page = visit(trajectory_player(blend()), color_scheme=scheme)
    page.locator("#scrub").fill("0")  # the rest of the slider's track is the faintest line
    places = {"#scrub": np.s_[:, -8], "#time": np.s_[:], "#play": np.s_[0], "#restart": np.s_[:]}
    for control, place in places.items():
        shot = matplotlib.image.imread(io.BytesIO(page.locator(control).screenshot()))[..., :3].mean(-1)
        light = np.where(shot <= 0.04045, shot / 12.92, ((shot + 0.055) / 1.055) ** 2.4)
        paper, ink = light[0, -1] + 0.05, light[place] + 0.05
        assert (np.maximum(ink, paper) / np.minimum(ink, paper)).max() >= 3, control


# A training in the browser: two sliders


def test_a_training_opens_still_at_its_last_step_and_time(visit):
    trajectories = stages()
    page = visit(training_player(trajectories), reduced_motion="reduce")
    page.wait_for_timeout(300)
    assert_shows(page, trajectories[1536].end)
    assert (page.locator("#step").inner_text(), readout(page)) == ("step 1,536", "t = 1.00")
    for role, name in [("slider", "Training step"), ("slider", "Time t"), ("button", "Play")]:
        page.get_by_role(role, name=name, exact=True).wait_for()
    assert page.locator("#train").get_attribute("aria-valuetext") == "step 1,536"


def test_each_slider_moves_by_its_own_keys_and_leaves_the_other_where_it_is(visit):
    trajectories = stages()
    page = visit(training_player(trajectories))
    to_the_start_overheard(page)
    for k, t in enumerate(trajectories[0].ts):
        page.locator("#train").focus()
        page.keyboard.press("Home")
        for step in (*MOMENTS, MOMENTS[-1]):
            assert_shows(page, trajectories[step].xs[k])
            assert (page.locator("#step").inner_text(), readout(page)) == (f"step {step:,}", f"t = {t:.2f}")
            page.keyboard.press("ArrowRight")
        page.locator("#scrub").focus()
        page.keyboard.press("ArrowRight")
    page.locator("#train").focus()
    page.keyboard.press("ArrowLeft")
    assert_shows(page, trajectories[16].end)
    assert page.evaluate("leaked") == []


def test_between_two_steps_the_nearer_one_is_shown_and_between_two_times_a_straight_line(visit):
    trajectories = stages()
    page = visit(training_player(trajectories))
    for place, step in [(0.0, 0), (0.2, 0), (0.3, 16), (0.7, 16), (0.8, 1536)]:
        page.locator("#train").fill(str(place))
        page.locator("#scrub").fill("0.5")
        xs = trajectories[step].xs
        assert_shows(page, (xs[2] + xs[3]) / 2)
        assert float(page.locator("#train").input_value()) == MOMENTS.index(step) / 2


def test_play_runs_along_the_training_at_one_time_which_may_be_moved_meanwhile(visit):
    trajectories = stages()
    page = visit(training_player(trajectories, seconds=1))
    record(page, "#step")
    page.get_by_role("button", name="Play").click()
    page.locator("#scrub").fill("0.4")
    page.get_by_role("button", name="Play").wait_for()  # it has come to its end
    seen = page.evaluate("seen")
    assert list(dict.fromkeys(seen)) == ["step 0", "step 16", "step 1,536"] and len(seen) > 3
    assert readout(page) == "t = 0.40"
    assert_shows(page, trajectories[1536].xs[2])


def test_a_player_of_one_trajectory_has_one_slider(visit):
    assert visit(trajectory_player(blend())).locator("input").count() == 1


def test_hostile_words_of_a_training_are_shown_as_they_are(visit):
    player = training_player(stages(), captions=[HOSTILE] * 5, title=HOSTILE, alt=HOSTILE)
    assert [player.html.count(text) for text in ("</script", "<!--", "<img src=x")] == [1, 0, 0]
    page = visit(player)
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("figcaption").all_text_contents() == [HOSTILE] * 5
    assert page.locator("#images").get_attribute("aria-label") == HOSTILE


def test_a_training_without_scripts_is_its_poster_and_fits_a_narrow_page_with_them(visit):
    page = visit(training_player(stages()), java_script_enabled=False)
    assert (
        page.locator("img").is_visible() and page.get_by_text("a row for each of the training").is_visible()
    )
    assert page.locator("button, input, canvas").count() == 0
    page = visit(training_player(stages(batch=16)), viewport={"width": 320, "height": 600})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
