import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from flowlib import plots
from flowlib.solvers import Trajectory


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.fixture
def images():
    return torch.rand(5, 1, 16, 16) * 2 - 1


def test_every_image_of_a_grid_stands_where_it_should(images):
    canvas = plots.image_grid(images, columns=3).images[0].get_array()
    for i, image in enumerate(images[:, 0]):
        down, across = i // 3, i % 3
        part = canvas[18 * down + 2 : 18 * down + 18, 18 * across + 1 : 18 * across + 17]
        torch.testing.assert_close(torch.as_tensor(part.data), image.double())


@pytest.fixture
def named(images):
    """Two rows of images with names; only the second row has titles."""
    titles = ["", "", "", "x", "a wider one than its image"]
    return plots.image_grid(images, titles, rows=["the first of two", 2], columns=3)


def named_film(images):
    film = Trajectory(torch.tensor([0.0, 1.0]), images.expand(2, 5, 1, 16, 16))
    return plots.film_strip(film, rows=["a", "b", "of the last"], columns=2)


def test_each_row_has_its_name_left_of_it_half_way_down_its_images(images, named):
    tops = [
        np.flatnonzero((named.images[0].get_array() == images[i, 0, 0, 0].item()).any(1))[0] for i in (0, 3)
    ]
    names = {text.get_text(): text for text in named.texts if text.get_ha() == "right"}
    assert list(names) == ["the first of two", "2"]
    for top, name in zip(tops, names.values()):
        assert name.xy == (0, top + 7.5) and name.get_va() == "center"
        assert name.get_window_extent().x1 < named.get_window_extent().x0
    assert [text.xy[1] for text in named_film(images).texts[:3]] == [9.5, 27.5, 45.5]


def test_a_row_without_titles_takes_no_room_for_them(images, named):
    canvas = named.images[0].get_array()
    assert canvas.shape == (2 + 16 + 8 + 16, 3 * 18)
    torch.testing.assert_close(torch.as_tensor(canvas[2:18, 1:17].data), images[0, 0].double())
    torch.testing.assert_close(torch.as_tensor(canvas[26:, 19:35].data), images[4, 0].double())
    titles = {text.get_text(): text.get_position() for text in named.texts if text.get_ha() == "center"}
    assert titles == {"x": (9, 24.8), "a wider one than its image": (27, 24.8)}


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
        place = ax.get_window_extent()
        assert (place.x0, place.width) == pytest.approx((round(place.x0), scale * width), abs=1e-6)
        assert ax.figure.bbox.width <= 1000


def test_the_stills_of_a_film_strip_are_spread_evenly_over_time_and_not_over_the_states():
    ts = torch.linspace(0, 1, 26) ** 3
    ax = plots.film_strip(Trajectory(ts, torch.zeros(26, 1, 1, 16, 16)), frames=3)
    nearest = min(ts.tolist(), key=lambda t: abs(t - 0.5))
    assert [text.get_text() for text in ax.texts] == ["t = 0.00", f"t = {nearest:.2f}", "t = 1.00"]
    plt.close(ax.figure)


def test_a_film_strip_runs_from_the_first_state_to_the_last(images):
    xs = torch.stack([images, images / 2, images / 4])
    canvas = plots.film_strip(Trajectory(torch.tensor([0.0, 0.5, 1.0]), xs), frames=3, columns=1)
    array = canvas.images[0].get_array()
    torch.testing.assert_close(torch.as_tensor(array[2:18, 1:17].data), images[0, 0].double())
    torch.testing.assert_close(torch.as_tensor(array[2:18, -17:-1].data), images[0, 0].double() / 4)
    assert [text.get_text() for text in canvas.texts] == ["t = 0.00", "t = 0.50", "t = 1.00"]


def test_a_figure_carries_its_words_and_is_closed(images):
    html = plots.figure_html(plots.image_grid(images), alt='five "images" & noise')
    assert 'alt="five &quot;images&quot; &amp; noise"' in html
    assert not plt.get_fignums()


def test_a_figure_without_words_is_refused(images):
    with pytest.raises(ValueError, match="alt="):
        plots.figure_html(plots.image_grid(images), alt=" ")


def test_wrong_shapes_and_title_counts_are_refused(images):
    with pytest.raises(ValueError, match=r"\(n, 1, height, width\)"):
        plots.image_grid(images[0])
    with pytest.raises(ValueError, match="5 images need as many titles"):
        plots.image_grid(images, titles=["one"])


def bad_calls():
    """What no plot can draw, each with a word of the answer."""
    images, plane = torch.zeros(3, 1, 16, 16), Trajectory(torch.tensor([0.0, 1.0]), torch.rand(2, 4, 2))
    film = Trajectory(plane.ts, images.expand(2, 3, 1, 16, 16))
    return [
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


def test_a_row_of_one_is_a_row():
    _, axes = plots.row(1, "alone")
    assert [ax.get_title() for ax in axes] == ["alone"]


def test_each_plot_draws_on_the_axes_it_is_given(images):
    straight = Trajectory(torch.tensor([0.0, 1.0]), torch.rand(2, 4, 2))
    film = Trajectory(straight.ts, images.expand(2, 5, 1, 16, 16))
    calls = [
        lambda ax: plots.image_grid(images, ax=ax),
        lambda ax: plots.film_strip(film, frames=2, ax=ax),
        lambda ax: plots.signed_image(images[0, 0], ax=ax),
        lambda ax: plots.vector(images[0], row=3, ax=ax),
        lambda ax: plots.clouds({"a": torch.rand(3, 2)}, ax=ax),
        lambda ax: plots.paths_2d(straight, torch.rand(3, 2), ax=ax),
        lambda ax: plots.curve([1, 2], [3, 4], label="loss", ax=ax),
        lambda ax: plots.arrows(lambda x, t: x, count=3, ax=ax),
        lambda ax: plots.against_time(Trajectory(straight.ts, straight.xs[:, :, :1]), ax=ax),
        lambda ax: plots.losses_over_time(straight.ts, torch.ones(2), torch.ones(2), ax=ax),
        lambda ax: plots.lattice(torch.sin, ax=ax),
        lambda ax: plots.log_log({"a": (torch.tensor([1, 2]), torch.tensor([3.0, 4.0]))}, ax=ax),
        lambda ax: plots.pulls(torch.zeros(2), torch.rand(3, 2), torch.ones(3) / 3, torch.rand(2), ax=ax),
    ]
    for draw in calls:
        ax = plt.figure().add_subplot()
        assert draw(ax) is ax
        assert ax.has_data()
        assert isinstance(draw(None), Axes)
        plt.close("all")


def test_a_lattice_is_drawn_before_and_after_and_so_is_its_square():
    ax = plots.lattice(lambda x: 2 * x + 1, span=2, cells=4)
    before, after = (torch.from_numpy(np.stack(lines.get_segments())) for lines in ax.collections)
    torch.testing.assert_close(after, 2 * before + 1)
    places = torch.arange(-2.0, 3.0).double()[:, None].expand(-1, before.shape[1])
    torch.testing.assert_close(before[:5, :, 0], places)
    torch.testing.assert_close(before[5:, :, 1], places)
    corners = [[*patch.get_xy().min(0), *patch.get_xy().max(0)] for patch in ax.patches]
    np.testing.assert_allclose(corners, [[0, 0, 1, 1], [1, 1, 3, 3]], atol=1e-12)


def test_a_power_law_is_a_straight_line_with_its_exponent_as_slope():
    x = torch.tensor([1.0, 10.0, 100.0])
    ax = plots.log_log({"cube": (x, 5 * x**3)})
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_legend_handles_labels()[1] == ["cube"]
    with pytest.raises(ValueError, match="at most 4 lines"):
        plots.log_log({str(i): (x, x) for i in range(5)})


def test_paths_need_no_data():
    straight = Trajectory(torch.tensor([0.0, 1.0]), torch.rand(2, 4, 2))
    assert len(plots.paths_2d(straight).collections) == 2


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_stand_out_from_white_paper_by_three_to_one():
    for colour in (plots.NOISE, plots.DATA, plots.EXACT, plots.LEARNED, *plots.CLASSES):
        assert 1.05 / (_luminance(colour) + 0.05) >= 3


def test_losses_over_time_stack_up_to_the_conditional_loss():
    fm, gap = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 0.5])
    ax = plots.losses_over_time(torch.tensor([0.2, 0.8]), fm, gap)
    assert ax.lines[0].get_ydata().tolist() == [4.0, 1.5]
    assert ax.lines[0].get_color() == plots.DATA
