"""Static figures. Each function draws on `ax` (a new one if `ax=None`) and returns it.

Colours mean the same in every lesson: noise grey, data orange, the exact field blue, the learned field
green. Time runs from left to right. End a figure with `show(ax, alt=...)`, which asks for its words.
"""

from flowlib.plots.figures import (
    CLASSES,
    DATA,
    EXACT,
    LEARNED,
    MARK,
    MARKERS,
    NOISE,
    figure_html,
    figure_png,
    row,
    show,
    style,
)
from flowlib.plots.images import film_strip, image_grid, mark_pixel, signed_image, vector
from flowlib.plots.losses import losses_over_time
from flowlib.plots.planes import (
    against_time,
    arrows,
    clouds,
    curve,
    diamonds,
    lattice,
    log_log,
    paths_2d,
    pulls,
)
