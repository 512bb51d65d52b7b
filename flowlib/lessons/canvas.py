"""The canvas to draw on, 16×16 pixels: needs anywidget, which the explorers can do without."""

from pathlib import Path

from anywidget import AnyWidget
from ipywidgets.widgets.widget_description import DescriptionWidget
from traitlets import Unicode, validate

from flowlib.lessons.drawings import image_of


class Canvas(AnyWidget, DescriptionWidget):
    """A canvas for mouse, pen, finger and keys; while one draws, `value` follows ten times a second.

    `value`: the ink of the pixels, row by row, as 256 hexadecimal digits, 0 (paper) to f.
    Raises `ValueError` for any other.
    """

    _esm = Path(__file__).with_name("canvas.js")
    value = Unicode("0" * 256).tag(sync=True)

    @validate("value")
    def _checked(self, proposal) -> str:
        image_of(proposal.value)
        return proposal.value
