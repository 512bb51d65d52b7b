"""The explorer: a picture that follows its sliders, lists and drawings, and these controls."""

from collections.abc import Callable
from functools import lru_cache

import ipywidgets as widgets
from matplotlib.figure import Figure

from flowlib.lessons.drawings import READY_MADE
from flowlib.plots import figure_html

# What the browser runs when a picture is there. The sliders of ipywidgets 8 have no names for those who
# cannot see them; and JupyterLab takes a control's keys as its own, the arrows of a list for going to
# another cell, an x for cutting this one.
AT_HAND = """const explorer = this.closest('.widget-vbox');
if (!explorer) return;
for (const slider of explorer.querySelectorAll('.widget-slider'))
  for (const part of slider.querySelectorAll('[role=slider], .widget-readout')) {
    part.ariaLabel = slider.querySelector('.widget-label').textContent;
    part.role ??= 'textbox';
  }
explorer.onkeydown = (key) => key.ctrlKey || key.metaKey || key.shiftKey || key.stopPropagation();"""


class Explorer(widgets.VBox):
    """Controls above a picture that follows them.

    `compute(**values) -> frame` makes a frame from the values of the controls and is cached;
    `draw(figure, frame) -> alt` draws it and returns its text alternative; `size` in inches; `controls`: a
    widget with a `value` per name. Setting a control's `value` from code is the same as moving it by hand:
    `figure` and `alt` are what is shown then.
    """

    def __init__(self, compute: Callable, draw: Callable, size: tuple[float, float], **controls):
        self.controls, self.picture = controls, widgets.HTML()
        frame_of = lru_cache(maxsize=64)(compute)
        places = []  # of the axes, found once: searching them again would double the wait, and let them jump

        def refresh(_change=None) -> None:
            self.figure = figure = Figure(figsize=size)
            self.alt = draw(figure, frame_of(**{name: control.value for name, control in controls.items()}))
            if not places:
                figure.set_layout_engine("constrained")
                figure.draw_without_rendering()
                figure.set_layout_engine("none")
                places.extend(ax.get_position(original=True) for ax in figure.axes)
            for ax, place in zip(figure.axes, places, strict=True):
                ax.set_position(place, which="original")
            picture = figure_html(figure, self.alt, crop=False)
            self.picture.value = picture.replace("<img ", f'<img onload="{AT_HAND}" ', 1)

        for control in controls.values():
            control.style.description_width = "8em"
            control.layout.width = "32em"
            control.observe(refresh, names="value")
        refresh()
        super().__init__([*controls.values(), self.picture])


def number(name: str, value: int, low: int, high: int) -> widgets.IntSlider:
    """A slider of whole numbers."""
    return widgets.IntSlider(value=value, min=low, max=high, description=name)


def real(name: str, value: float, low: float, high: float, step: float) -> widgets.FloatSlider:
    """A slider of real numbers, such as t."""
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=name, readout_format=".2f"
    )


def choice(name: str, options: list) -> widgets.Dropdown:
    """A list to choose from; the first of its options is chosen."""
    return widgets.Dropdown(options=options, value=options[0], description=name)


def drawing(name: str) -> widgets.DOMWidget:
    """A canvas with a drawing on it; without anywidget a list of drawings, and a line that says why."""
    try:
        from flowlib.lessons.canvas import Canvas
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        print("To draw by hand: python -m pip install anywidget, then start Jupyter again.")
        return widgets.Dropdown(options=READY_MADE.items(), description=name)
    return Canvas(description=name, value=READY_MADE["a three"])
