"""What a figure shows, read from its artists and from its pixels, is what it was given to draw."""

import base64
import io
import logging
from html.parser import HTMLParser

import matplotlib
import matplotlib.image
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.markers import MarkerStyle

from flowlib import plots
from flowlib.plots import CLASSES, DATA, EXACT, LEARNED, MARK, MARKERS, NOISE
from flowlib.solvers import Trajectory

WHITE = (1, 1, 1)


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


def uniform(*shape, seed=0):
    """Numbers in [-1, 1]."""
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.fixture
def images():
    return uniform(5, 1, 16, 16)


def screen(ax):
    """What an eye sees: `at(x, y)` is the colour, RGB from 0 to 1, at places in the units of the axes."""
    ax.figure.canvas.draw()
    shot = np.asarray(ax.figure.canvas.buffer_rgba())[::-1, :, :3] / 255

    def at(x, y):
        x, y = np.broadcast_arrays(x, y)
        across, up = ax.transData.transform(np.stack([x.ravel(), y.ravel()], 1)).astype(int).T
        return shot[up, across].reshape(*x.shape, 3)

    return at


def place(ax, text):
    """Where a text stands on the screen, in the units of the axes: left, right, lower and upper rim."""
    (left, low), (right, high) = ax.transData.inverted().transform(text.get_window_extent())
    return left, right, low, high


def assert_near(seen, colour, tol=0.01):
    np.testing.assert_allclose(seen, np.broadcast_to(to_rgb(colour), np.shape(seen)), atol=tol)


def grey(image):
    """Ink on paper: black for 1, white for -1, the same in all three channels."""
    return ((1 - image.numpy().clip(-1, 1)) / 2)[..., None].repeat(3, -1)


def tint(colour, alpha=0.45):
    """A colour of which so much lies on white paper."""
    return alpha * np.array(to_rgb(colour)) + 1 - alpha


def look(ax):
    """The names of a legend: {name: (colour, marker)}."""
    handles = ax.get_legend().legend_handles
    names = [text.get_text() for text in ax.get_legend().texts]
    return {name: (handle.get_color(), handle.get_marker()) for name, handle in zip(names, handles)}


def filled(collection):
    return to_rgba(collection.get_facecolor()[0], 1)


def ends(lines):
    return [line.get_xydata().tolist() for line in lines]


# Images


def assert_grid(at, images, columns, tops, left=0):
    """Each pixel of each image is seen, `columns` images in a row whose upper rims are at `tops`."""
    height, width = images.shape[2:]
    rows, across = np.mgrid[:height, :width]
    for i, image in enumerate(images[:, 0]):
        x = left + (width + 2) * (i % columns) + 1
        np.testing.assert_allclose(at(x + across, tops[i // columns] + rows), grey(image), atol=0.01)


def test_every_pixel_of_a_grid_is_seen_in_its_place_as_ink_on_paper():
    images = 1.3 * uniform(5, 1, 16, 12)  # some beyond black and white
    at = screen(plots.image_grid(images, columns=3))
    assert_grid(at, images, 3, [2, 20])
    assert_near(at(np.arange(42), 18.5), WHITE)  # between two rows
    assert_near(at(14 * 2, np.arange(20, 36)), WHITE)  # where a sixth image would begin


def test_a_grid_has_eight_images_in_a_row_unless_told(images):
    many = images.repeat(2, 1, 1, 1)
    assert_grid(screen(plots.image_grid(many)), many, 8, [2, 20])


@pytest.fixture
def named(images):
    """Two rows of images with names; only the second row has titles."""
    titles = ["", "", "", "x", "a wider one than its image"]
    return plots.image_grid(images, titles, rows=["the first of two", 2], columns=3)


def film(images, ts=(0.0, 1.0)):
    """Images that fade: at each time less of them is left."""
    ts = torch.tensor(ts)
    return Trajectory(ts, torch.stack([images * (1 - k / (len(ts) + 1)) for k in range(len(ts))]))


def named_film(images):
    return plots.film_strip(film(images), rows=["a", "b", "of the last"], columns=2)


def test_each_title_stands_over_the_middle_of_its_own_image_and_below_the_row_before(images):
    ax = plots.image_grid(images, range(5), columns=3)
    ax.figure.draw_without_rendering()
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3", "4"]
    for i, text in enumerate(ax.texts):
        left, right, low, high = place(ax, text)  # upright: y grows downwards
        top = (8, 32)[i // 3]
        assert (left + right) / 2 == pytest.approx(18 * (i % 3) + 8.5, abs=1)
        assert top - 8.5 < high < low < top - 0.5
    assert_grid(screen(ax), images, 3, [8, 32])


def test_a_row_without_titles_takes_no_room_for_them(images, named):
    assert_grid(screen(named), images, 3, [2, 26])
    titles = {text.get_text(): text.get_position() for text in named.texts if text.get_ha() == "center"}
    assert titles == {"x": (9, 24.8), "a wider one than its image": (27, 24.8)}


def test_each_row_has_its_name_left_of_it_half_way_down_its_images(images, named):
    for ax, names, tops in [
        (named, ["the first of two", "2"], [2, 26]),
        (named_film(images), ["a", "b", "of the last"], [2, 20, 38]),
    ]:
        ax.figure.draw_without_rendering()
        texts = [text for text in ax.texts if text.get_ha() == "right"]
        assert [text.get_text() for text in texts] == names
        for text, top in zip(texts, tops):
            _, right, low, high = place(ax, text)
            assert right < -0.5
            assert (low + high) / 2 == pytest.approx(top + 7.5, abs=0.5)


def test_no_name_of_a_row_is_clipped_alone_or_beside_another_picture(images, named):
    figure, axes = plots.row(2)
    plots.image_grid(images, rows=["a long name that needs some room", "b"], columns=3, ax=axes[1])
    figure.draw_without_rendering()
    for ax in (named, axes[1], named_film(images)):
        names = [text.get_window_extent() for text in ax.texts if text.get_ha() == "right"]
        assert all(name.x0 >= 0 and name.y0 >= 0 for name in names)
    left = axes[0].get_window_extent().x1
    assert all(text.get_window_extent().x0 > left for text in axes[1].texts)


def test_with_the_names_of_its_rows_a_pixel_is_still_a_whole_number_of_screen_pixels(images, named):
    many = plots.image_grid(images.repeat(2, 1, 1, 1), rows=["$x_1$: too long for a 5"], columns=10)
    for ax, width, scale in ((named, 54, 5), (many, 180, 4)):
        where = ax.get_window_extent()
        assert (where.x0, where.width) == pytest.approx((round(where.x0), scale * width), abs=1e-6)
        assert ax.figure.bbox.width <= 1000


def test_a_film_strip_shows_all_images_at_each_time_from_left_to_right_under_that_time(images):
    moving = film(images, ts=(0.1, 0.2, 0.5, 0.9))
    ax = plots.film_strip(moving, frames=3, columns=2)
    at = screen(ax)
    for i, k in enumerate((0, 2, 3)):
        assert_grid(at, moving.xs[k], 2, [2, 20, 38], left=44 * i)
        left, right, low, _ = place(ax, ax.texts[i])
        assert ax.texts[i].get_text() == f"t = {moving.ts[k]:.2f}"
        assert (left + right) / 2 == pytest.approx(44 * i + 17.5, abs=1) and low < 0
    for gap in (40, 84):
        assert_near(at(gap, np.arange(54)), WHITE)


def test_the_stills_of_a_film_strip_are_spread_evenly_over_time_and_not_over_the_states():
    ts = torch.linspace(0, 1, 26) ** 3
    ax = plots.film_strip(Trajectory(ts, torch.zeros(26, 1, 1, 16, 16)), frames=3)
    nearest = min(ts.tolist(), key=lambda t: abs(t - 0.5))
    assert [text.get_text() for text in ax.texts] == ["t = 0.00", f"t = {nearest:.2f}", "t = 1.00"]


@pytest.mark.parametrize("limit", [None, 5.0])
def test_a_signed_image_is_purple_below_zero_and_orange_above_and_stronger_further_away(limit):
    numbers = uniform(16, 16).double()
    numbers[3, 5], numbers[4, 5], numbers[7, 2] = -3, 1.5, 0
    ax = plots.signed_image(numbers, limit=limit)
    rows, columns = np.mgrid[:16, :16]
    seen = screen(ax)(columns, rows)
    assert_near(seen[7, 2], "#f7f7f7", 0.02)  # nearly white
    plain = numbers.abs().numpy() > 0.3
    warmth = seen[..., 0] - seen[..., 2]  # red above blue
    assert (np.sign(warmth) == numbers.sign().numpy())[plain].all()
    shares = np.array([-1, 0.5]) * 3 / (limit or 3)
    assert_near(seen[3, 5], plt.get_cmap("PuOr_r")(0.5 + shares[0] / 2)[:3], 0.02)
    assert_near(seen[4, 5], plt.get_cmap("PuOr_r")(0.5 + shares[1] / 2)[:3], 0.02)
    scale = ax.figure.axes[1]
    assert scale.get_ylim() == (-(limit or 3), limit or 3)
    assert ax.get_xticks().tolist() == ax.get_yticks().tolist() == [0, 5, 10, 15]


def test_an_image_of_zeros_is_white():
    rows, columns = np.mgrid[:16, :16]
    assert_near(screen(plots.signed_image(torch.zeros(16, 16)))(columns, rows), "#f7f7f7", 0.02)


def test_the_frame_of_a_pixel_surrounds_that_pixel_and_leaves_it_free():
    numbers = torch.zeros(16, 16)
    numbers[3, 12] = 1
    ax = plots.signed_image(numbers)
    plots.mark_pixel(ax, 3, 12)
    at = screen(ax)
    assert_near(at([11.5, 12.5, 12, 12], [3, 3, 2.5, 3.5]), MARK, 0.05)
    assert_near(at(12, 3), plt.get_cmap("PuOr_r")(1.0)[:3], 0.02)
    assert_near(at([13, 12, 3], [3, 4, 12]), "#f7f7f7", 0.02)


def test_entry_k_of_the_vector_is_the_pixel_in_row_k_div_16_and_column_k_mod_16(images):
    ax = plots.vector(images[0], row=3)
    (whole, where, _), (part, there, _) = (patch.get_data() for patch in ax.patches)
    for k in range(256):
        assert whole[k] == images[0, 0, k // 16, k % 16]
        assert (where[k], where[k + 1]) == (k - 0.5, k + 0.5)
    assert part.tolist() == images[0, 0, 3].tolist()
    assert (there[0], there[-1]) == (47.5, 63.5)
    at, tops = screen(ax), whole.clip(-0.8, 0.8)
    halfway = (tops - 1) / 2  # bars stand on -1
    for k in range(2, 254, 7):
        assert_near(at(k, halfway[k]), MARK if 48 <= k < 64 else DATA, 0.05)
    left, right = ax.get_xlim()
    assert left == -0.5 and 255.5 <= right <= 256 and ax.get_ylim() == (-1, 1)
    assert ax.get_xticks().tolist() == list(range(0, 257, 32))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("entry k of the vector", "value")


def test_without_a_row_no_part_of_the_vector_stands_out(images):
    (bars,) = plots.vector(images[0]).patches
    assert bars.get_facecolor() == to_rgba(DATA)


# Points


def test_each_cloud_stands_where_its_points_are_in_its_own_colour_and_shape():
    points = {name: uniform(7, 2, seed=i) for i, name in enumerate(["a", "b", "c"])}
    ax = plots.clouds(points)
    assert [text.get_text() for text in ax.get_legend().texts] == ["a", "b", "c"]
    for cloud, drawn, colour, shape in zip(points.values(), ax.collections, CLASSES, MARKERS):
        np.testing.assert_allclose(drawn.get_offsets(), cloud)
        assert filled(drawn) == to_rgba(colour)
        marker = MarkerStyle(shape)
        expected = marker.get_path().transformed(marker.get_transform()).vertices
        np.testing.assert_allclose(drawn.get_paths()[0].vertices, expected)
    for handle, colour in zip(ax.get_legend().legend_handles, CLASSES):
        assert filled(handle) == to_rgba(colour)


def test_paths_run_from_grey_starts_to_orange_ends_among_the_diamonds_of_the_data():
    xs, data = uniform(4, 3, 2), uniform(5, 2, seed=1)
    ax = plots.paths_2d(Trajectory(torch.tensor([0.0, 0.2, 0.5, 0.75]), xs), data, color=EXACT)
    assert ends(ax.lines) == [xs[:, i].tolist() for i in range(3)]
    assert {line.get_color() for line in ax.lines} == {EXACT}
    starts, stops, diamonds = ax.collections
    for drawn, where, colour, name in [
        (starts, xs[0], NOISE, "t = 0, noise"),
        (stops, xs[-1], DATA, "t = 0.75"),
    ]:
        np.testing.assert_allclose(drawn.get_offsets(), where)
        assert (filled(drawn), drawn.get_label()) == (to_rgba(colour), name)
    np.testing.assert_allclose(diamonds.get_offsets(), data)
    assert max(line.zorder for line in ax.lines) < starts.zorder < stops.zorder < diamonds.zorder
    assert ax.get_aspect() == 1
    assert len(plots.paths_2d(Trajectory(torch.tensor([0.0, 1.0]), xs[:2])).collections) == 2  # without data


def test_no_diamond_at_the_rim_is_cut():
    data = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    ax = plots.paths_2d(Trajectory(torch.tensor([0.0, 1.0]), torch.zeros(2, 1, 2)), data)
    ax.figure.draw_without_rendering()
    reach = (
        np.sqrt(110) * ax.figure.dpi / 72 * np.sqrt(0.5)
    )  # of a square of 110 points² that stands on its tip
    places = ax.transData.transform(data.numpy())
    frame = ax.get_window_extent()
    assert (places.min(0) - reach >= [frame.x0, frame.y0]).all()
    assert (places.max(0) + reach <= [frame.x1, frame.y1]).all()


def test_diamonds_are_open_and_stand_where_the_data_are():
    data = torch.tensor([[-1.0, 2.0], [3.0, 0.5]])
    _, (ax,) = plots.row(1)
    plots.diamonds(data, ax)
    at = screen(ax)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), data)
    assert_near(at(*data.T.numpy()), WHITE)
    assert ax.collections[0].get_edgecolor().tolist() == [list(to_rgba(DATA))]
    assert ax.collections[0].get_label() == "data"


def test_a_curve_goes_through_its_points_under_its_name():
    ax = plots.curve([1, 2, 4], torch.tensor([3.0, 5.0, -1.0]), label="loss", color=EXACT)
    assert ends(ax.lines) == [[[1, 3], [2, 5], [4, -1]]]
    assert look(ax) == {"loss": (EXACT, "None")}
    nameless = plots.curve([1], [2])
    assert nameless.get_legend() is None
    assert nameless.lines[0].get_color() == LEARNED


def test_an_arrow_leads_from_each_place_of_the_square_along_the_field_at_t():
    def field(x, t):
        return torch.stack([1 + x[:, 1] * t, x[:, 0] - t], dim=1)

    ax = plots.arrows(field, t=0.25, span=2, count=5, color=LEARNED)
    (drawn,) = ax.collections
    places = {(x, y): i for i, (x, y) in enumerate(drawn.get_offsets().tolist())}
    grid = [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert sorted(places) == [(x, y) for x in grid for y in grid]
    velocities = {(x, y): (1 + y * 0.25, x - 0.25) for x, y in places}
    longest = max(np.hypot(*u) for u in velocities.values())
    for (x, y), (u, v) in velocities.items():
        i = places[x, y]
        length = np.array([drawn.U[i], drawn.V[i]]) / drawn.scale  # in the units of the axes
        np.testing.assert_allclose(length, np.array([u, v]) / longest * 0.85, atol=1e-12)  # gaps of 1
    assert (drawn.angles, drawn.scale_units, drawn.pivot) == ("xy", "xy", "tail")
    assert filled(drawn) == to_rgba(LEARNED)
    at, along = screen(ax), np.array(velocities[2, 0]) / longest * 0.85
    assert_near(at(*([2, 0] + 0.5 * along)), LEARNED, 0.2)
    assert_near(at(*([2, 0] - 0.2 * along)), WHITE)
    assert ax.get_aspect() == 1


def test_where_nothing_moves_the_arrows_are_points():
    (drawn,) = plots.arrows(lambda x, t: 0 * x, count=3).collections
    assert not drawn.U.any() and not drawn.V.any()


def test_a_lattice_is_drawn_before_and_after_and_so_is_its_square():
    ax = plots.lattice(lambda x: 2 * x + 1, span=2, cells=4, color=LEARNED)
    before, after = (torch.from_numpy(np.stack(lines.get_segments())) for lines in ax.collections)
    torch.testing.assert_close(after, 2 * before + 1)
    places = torch.arange(-2.0, 3.0).double()[:, None].expand(-1, before.shape[1])
    torch.testing.assert_close(before[:5, :, 0], places)
    torch.testing.assert_close(before[5:, :, 1], places)
    corners = [[*patch.get_xy().min(0), *patch.get_xy().max(0)] for patch in ax.patches]
    np.testing.assert_allclose(corners, [[0, 0, 1, 1], [1, 1, 3, 3]], atol=1e-12)
    for kind in (ax.collections, ax.patches):
        colours = [to_rgba(np.ravel(part.get_edgecolor()), 1) for part in kind]
        assert colours == [to_rgba(NOISE), to_rgba(LEARNED)]
    at = screen(ax)
    np.testing.assert_allclose(at([0.5, 2.5], [0.5, 1.7]), [tint(NOISE), tint(LEARNED)], atol=0.01)
    assert ax.get_aspect() == 1


def test_a_curved_map_bends_the_lines_between_the_crossings_and_fills_the_bent_square():
    def flow(x):
        return torch.stack([x[:, 0] + x[:, 1] ** 2, x[:, 1]], dim=1)

    ax = plots.lattice(flow, span=1, cells=2)
    after = np.concatenate(ax.collections[1].get_segments())
    line = after[np.isclose(after[:, 0], after[:, 1] ** 2)]  # what becomes of the line x = 0
    assert len(np.unique(line[:, 1].round(6))) == 21
    rim = ax.patches[1].get_xy()
    bent = rim[np.isclose(rim[:, 0], rim[:, 1] ** 2)]
    assert len(np.unique(bent[:, 1].round(6))) == 11  # its left side


def test_a_power_law_is_a_straight_line_with_its_exponent_as_slope():
    x = torch.tensor([1.0, 10.0, 100.0])
    ax = plots.log_log({"cube": (x, 5 * x**3), "root": (x, x**0.5)})
    ax.figure.draw_without_rendering()
    decade = ax.transData.transform([(10, 10)]) - ax.transData.transform([(1, 1)])
    for line, slope in zip(ax.lines, (3, 0.5)):
        steps = np.diff(ax.transData.transform(line.get_xydata()), axis=0) / decade
        np.testing.assert_allclose(steps, [[1, slope]] * 2)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), torch.stack([x, 5 * x**3], 1))


def test_each_line_of_log_log_has_its_own_colour_and_marker_and_a_fifth_is_refused():
    lines = {str(i): (torch.tensor([1.0, 2.0]), torch.tensor([1.0, i])) for i in range(1, 6)}
    with pytest.raises(ValueError, match="at most 4 lines"):
        plots.log_log(lines)
    del lines["5"]
    ax = plots.log_log(lines)
    assert look(ax) == dict(zip("1234", zip((*CLASSES, "black"), (*MARKERS, "D"))))
    for line, (x, y) in zip(ax.lines, lines.values()):
        np.testing.assert_allclose(line.get_xydata(), torch.stack([x, y], 1))


def test_against_time_each_number_rises_from_left_to_right_as_its_trajectory_says():
    ts, xs = torch.tensor([0.0, 0.25, 1.0]), uniform(3, 4, 1)
    ax = plots.against_time(Trajectory(ts, xs), color=NOISE, linestyle="--")
    assert ends(ax.lines) == [[[t, x] for t, x in zip(ts.tolist(), xs[:, i, 0].tolist())] for i in range(4)]
    assert {(line.get_color(), line.get_linestyle()) for line in ax.lines} == {(NOISE, "--")}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("t", "x")


def shafts(ax):
    """The arrows of a figure: (from, to, width, colour)."""
    return [
        (arrow.xyann, arrow.xy, arrow.arrow_patch.get_linewidth(), arrow.arrow_patch) for arrow in ax.texts
    ]


def test_at_a_place_each_end_pulls_with_its_weight_and_the_mean_is_set_apart():
    x, data, mean = torch.tensor([0.5, -1.0]), uniform(4, 2), torch.tensor([2.0, 1.0])
    weights = torch.tensor([0.1, 0.0, 0.6, 0.3])
    ax = plots.pulls(x, data, weights, mean)
    *to_data, to_mean = shafts(ax)
    assert [(start, end) for start, end, *_ in to_data] == [
        (tuple(x.tolist()), tuple(e)) for e in data.tolist()
    ]
    assert to_mean[:2] == ((0.5, -1.0), (2.0, 1.0))
    widths = np.array([width for *_, width, _ in to_data])
    thin, thick = widths[1], widths[2]
    np.testing.assert_allclose(widths, thin + (thick - thin) * weights / 0.6, rtol=1e-6)
    assert 0 < thin < 1 and thick > 4
    colours = [patch.get_edgecolor() for *_, patch in (*to_data, to_mean)]
    assert colours == [to_rgba(DATA)] * 4 + [to_rgba(EXACT)]
    assert {(patch.shrinkA, patch.shrinkB) for *_, patch in shafts(ax)} == {(0, 0)}  # all of the way
    diamonds, mark = ax.collections
    np.testing.assert_allclose(diamonds.get_offsets(), data)
    np.testing.assert_allclose(mark.get_offsets(), [x.tolist()])
    assert filled(mark) == to_rgba(MARK)
    assert ax.get_aspect() == 1


def test_without_weights_and_mean_all_pulls_look_alike():
    ax = plots.pulls(torch.zeros(2), uniform(3, 2))
    assert len({width for *_, width, _ in shafts(ax)}) == 1
    assert len(ax.texts) == 3


def test_losses_over_time_stack_up_from_the_gap_to_the_conditional_loss():
    ts, fm, gap = torch.tensor([0.2, 0.5, 0.8]), torch.tensor([3.0, 2.0, 1.0]), torch.tensor([1.0, 1.0, 0.5])
    ax = plots.losses_over_time(ts, fm, gap)
    assert ends(ax.lines) == [torch.stack([ts, fm + gap], 1).tolist()]
    assert ax.lines[0].get_color() == DATA
    at = screen(ax)
    layers = [tint(NOISE), tint(EXACT), tint(EXACT), WHITE]
    np.testing.assert_allclose(at(0.5, [0.5, 1.5, 2.5, 3.3]), layers, atol=0.02)
    (gap_line, fm_line, _), names = ax.get_legend().legend_handles, ax.get_legend().texts
    assert [name.get_text() for name in names] == ["gap", "$L_{FM}$", "$L_{CFM}$"]
    assert [to_rgba(h.get_facecolor(), 1) for h in (gap_line, fm_line)] == [to_rgba(NOISE), to_rgba(EXACT)]
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 4
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("t", "loss")


# What every figure shares


def test_a_row_has_its_axes_side_by_side_and_the_titles_over_the_first_of_them():
    figure, axes = plots.row(3, "one", "two")
    assert [ax.get_title() for ax in axes] == ["one", "two", ""]
    figure.draw_without_rendering()
    boxes = [ax.get_window_extent() for ax in axes]
    assert boxes[0].x1 < boxes[1].x0 and boxes[1].x1 < boxes[2].x0
    assert len({round(box.width) for box in boxes}) == len({round(box.y0) for box in boxes}) == 1
    _, alone = plots.row(1, "alone")
    assert [ax.get_title() for ax in alone] == ["alone"]


def bad_calls():
    """What no plot can draw, each with a word of the answer."""
    images, plane = torch.zeros(3, 1, 16, 16), Trajectory(torch.tensor([0.0, 1.0]), torch.rand(2, 4, 2))
    film = Trajectory(plane.ts, images.expand(2, 3, 1, 16, 16))
    return [
        (lambda: plots.image_grid(images[0]), r"\(n, 1, height, width\)"),
        (lambda: plots.image_grid(images, titles=["one"]), "3 images need as many titles"),
        (lambda: plots.image_grid(images, columns=0), "columns is 0"),
        (lambda: plots.image_grid(images, rows=["a", "b"]), "row of images, 1, but has 2; columns= says"),
        (
            lambda: plots.image_grid(images, rows=["a"], columns=2),
            "row of images, 2, but has 1; columns= says",
        ),
        (lambda: plots.film_strip(film, rows=["a", "b"], columns=1), "row of images, 3, but has 2"),
        (lambda: plots.film_strip(film, frames=1), "frames is 1"),
        (lambda: plots.film_strip(film, frames=2.5), "frames is 2.5"),
        (lambda: plots.signed_image(images[0]), "height, width"),
        (lambda: plots.signed_image(torch.full((16, 16), torch.nan)), "finite"),
        (lambda: plots.vector(images[0], row=16), "row 0 to 15"),
        (lambda: plots.vector(images), "256 pixels"),
        (lambda: plots.row(0), "at least 1, but count is 0"),
        (lambda: plots.row(1, "a", "b"), "no more titles"),
        (lambda: plots.clouds({}), "1 to 3 clouds"),
        (lambda: plots.clouds({"a": torch.rand(3, 3)}), r"cloud 'a'.*\(n, 2\)"),
        (lambda: plots.paths_2d(Trajectory(plane.ts, torch.rand(2, 4, 1))), "in the plane"),
        (lambda: plots.paths_2d(plane, torch.rand(3, 3)), "data needs"),
        (lambda: plots.against_time(plane), "trajectories of numbers"),
        (lambda: plots.arrows(lambda x, t: x, count=1), "count is 1"),
        (lambda: plots.arrows(lambda x, t: x[:, :1]), "same shape"),
        (lambda: plots.arrows(lambda x, t: x / 0), "not finite"),
        (lambda: plots.lattice(lambda x: x, cells=0), "cells is 0"),
        (lambda: plots.lattice(lambda x: x[:, :1]), r"but gave \(\d+, 1\)"),
        (lambda: plots.pulls(torch.zeros(3), torch.rand(3, 2)), "x has"),
        (lambda: plots.pulls(torch.zeros(2), torch.rand(3, 2), torch.ones(2)), "weights"),
        (lambda: plots.losses_over_time(torch.zeros(2), torch.zeros(3), torch.zeros(2)), "one shape"),
    ]


@pytest.mark.parametrize(("draw", "words"), bad_calls())
def test_what_cannot_be_drawn_is_refused_and_leaves_no_figure(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()
    assert not plt.get_fignums()


def test_each_plot_draws_on_the_axes_it_is_given_what_it_draws_on_its_own(images):
    plane = Trajectory(torch.tensor([0.0, 1.0]), uniform(2, 4, 2))
    calls = [
        lambda ax: plots.image_grid(images, ax=ax),
        lambda ax: plots.film_strip(film(images), frames=2, ax=ax),
        lambda ax: plots.signed_image(images[0, 0], ax=ax),
        lambda ax: plots.vector(images[0], row=3, ax=ax),
        lambda ax: plots.clouds({"a": uniform(3, 2)}, ax=ax),
        lambda ax: plots.paths_2d(plane, uniform(3, 2), ax=ax),
        lambda ax: plots.curve([1, 2], [3, 4], label="loss", ax=ax),
        lambda ax: plots.arrows(lambda x, t: x, count=3, ax=ax),
        lambda ax: plots.against_time(Trajectory(plane.ts, plane.xs[:, :, :1]), ax=ax),
        lambda ax: plots.losses_over_time(plane.ts, torch.ones(2), torch.ones(2), ax=ax),
        lambda ax: plots.lattice(torch.sin, ax=ax),
        lambda ax: plots.log_log({"a": (torch.tensor([1, 2]), torch.tensor([3.0, 4.0]))}, ax=ax),
        lambda ax: plots.pulls(torch.zeros(2), uniform(3, 2), torch.ones(3) / 3, uniform(2), ax=ax),
    ]
    for draw in calls:
        (figure, (left, right)), alone = plots.row(2), draw(None)
        assert draw(right) is right
        kinds = [[type(part) for part in ax.get_children()] for ax in (right, alone)]
        assert kinds[0] == kinds[1]
        assert not left.has_data() and figure is right.figure is not alone.figure
        plt.close("all")


# The picture and its words


def picture(png):
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def test_a_png_has_dpi_pixels_to_the_inch_and_its_figure_is_closed():
    for dpi in (100, 50):
        figure = plt.figure(figsize=(3, 2))
        assert picture(plots.figure_png(figure, dpi=dpi, crop=False)).shape == (2 * dpi, 3 * dpi, 3)
    assert not plt.get_fignums()


def test_cropping_leaves_out_what_is_empty_and_keeps_what_stands_beyond_the_edge():
    figure = plt.figure(figsize=(3, 2))
    figure.text(0.5, 0.5, "x")
    height, width, _ = picture(plots.figure_png(figure)).shape
    assert height < 60 and width < 60
    figure = plt.figure(figsize=(3, 2))
    figure.text(1.2, 0.5, "x", color="red")
    seen = picture(plots.figure_png(figure))
    assert ((seen[..., 0] > 0.9) & (seen[..., 1:].max(-1) < 0.1)).any()


@pytest.mark.parametrize(
    "styles",
    [
        "default",
        "dark_background",
        "Solarize_Light2",
        {"figure.facecolor": (1, 1, 1, 0)},
        {"savefig.transparent": True},
    ],
    ids=str,
)
def test_the_words_of_a_figure_stand_out_from_its_paper_whatever_the_style(styles):
    with plt.style.context(styles):
        figure, (ax,) = plots.row(1, "a title")
        ink = ax.title.get_color()
        ink = to_rgb(plt.rcParams["text.color"] if ink == "auto" else ink)
        image = matplotlib.image.imread(io.BytesIO(plots.figure_png(figure)))
    corner = image[0, 0]
    assert corner[3] == 1
    levels = np.array([corner[:3], ink])
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]
    assert (max(light) + 0.05) / (min(light) + 0.05) >= 4  # Solarize's own grey has no more


STRANGE = {
    "text.usetex": True,
    "font.family": "No Such Font",
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "axes.grid": True,
    "axes.facecolor": "black",
    "text.color": "white",
    "lines.color": "white",
    "image.origin": "lower",
    "image.interpolation": "bilinear",
    "figure.dpi": 30,
}


@pytest.mark.parametrize("styles", ["dark_background", "ggplot", STRANGE], ids=["dark", "ggplot", "strange"])
def test_after_style_a_figure_looks_as_from_a_new_kernel_whatever_was_set(styles, images, caplog):
    def drawn():
        plots.style()
        figure, (left, right) = plots.row(2, "a title")
        plots.image_grid(images, range(5), columns=3, ax=left)
        plots.curve([1, 2], [3, 4], label="a line", ax=right).set(xlabel="$t$")
        return plots.figure_png(figure)

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        expected = drawn()
        plt.style.use(styles)
        with caplog.at_level(logging.WARNING):
            assert drawn() == expected
    assert not caplog.records


def test_style_leaves_the_backend_and_whether_figures_pop_up_as_they_are():
    with matplotlib.rc_context({"interactive": True, "toolbar": "None"}):
        backend = matplotlib.get_backend()
        plots.style()
        assert matplotlib.get_backend() == backend
        assert (plt.rcParams["interactive"], plt.rcParams["toolbar"]) == (True, "None")
        assert plt.rcParams["font.size"] == 12 and plt.rcParams["axes.titlesize"] == 13
        assert not plt.rcParams["axes.spines.top"]


ALT = 'five "images" & noise'


@pytest.fixture
def output(images, monkeypatch):
    """What a notebook stores of a figure, and the PNG file that it should be."""
    displayed = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    expected = plots.figure_png(plots.image_grid(images))
    plots.show(plots.image_grid(images), alt=ALT)
    assert not plt.get_fignums()
    data, metadata = DisplayFormatter().format(*displayed)
    return nbformat.v4.new_output("display_data", data, metadata=metadata), expected


def exported(exporter, output):
    """A notebook of one output as this exporter writes it, and the files beside it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    nbformat.validate(notebook)
    return exporter.from_notebook_node(notebook)


class Pictures(HTMLParser):
    """The attributes of all `<img>` of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.found.append(dict(attributes))


def source(png):
    return "data:image/png;base64," + base64.b64encode(png).decode()


def test_a_figure_is_one_output_with_its_picture_and_its_words_for_every_kind_of_viewer(output):
    output, png = output
    assert sorted(output.data) == ["image/png", "text/html", "text/plain"]
    (img,) = Pictures(output.data["text/html"]).found
    assert (img["src"], img["alt"], img["style"]) == (source(png), ALT, "max-width:100%")
    assert base64.b64decode(output.data["image/png"]) == png
    assert (output.data["text/plain"], output.metadata) == (ALT, {"image/png": {"alt": ALT}})


def test_a_web_page_shows_the_figure_once_and_a_screen_reader_says_its_words(output):
    from nbconvert import HTMLExporter

    for template in ("lab", "classic"):
        page, _ = exported(HTMLExporter(template_name=template), output[0])
        (img,) = [img for img in Pictures(page).found if img["src"].startswith("data:image/png")]
        assert (img["src"], img["alt"]) == (source(output[1]), ALT)


def test_where_html_is_not_shown_the_figure_still_is(output):
    from nbconvert import HTMLExporter, LatexExporter

    output, png = output
    page, more = exported(LatexExporter(), output)
    assert list(more["outputs"].values()) == [png]
    assert f"{{{next(iter(more['outputs']))}}}" in page and "includegraphics" in page
    del output.data["text/html"]
    (img,) = Pictures(exported(HTMLExporter(template_name="classic"), output)[0]).found
    assert (img["src"], img["alt"]) == (source(png), ALT)


def test_without_a_notebook_a_figure_is_its_words(images, capsys):
    plots.show(plots.image_grid(images), alt=ALT)
    assert capsys.readouterr().out == f"{ALT}\n"


def test_a_figure_without_words_is_refused(images):
    for words in (" ", None):
        with pytest.raises(ValueError, match="alt="):
            plots.figure_html(plots.image_grid(images), alt=words)
