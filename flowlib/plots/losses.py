"""The figure of lesson 07: what of the loss is error, and what nobody can know."""

from matplotlib.axes import Axes
from torch import Tensor

from flowlib.plots.figures import DATA, EXACT, NOISE, as_array, new_axes


def losses_over_time(ts: Tensor, fm: Tensor, gap: Tensor, ax: Axes | None = None) -> Axes:
    """L_CFM(t) as what it is made of: the gap (grey), and on top of it L_FM(t) (blue). All `(time,)`."""
    times, error, floor = (as_array(values) for values in (ts, fm, gap))
    if times.ndim != 1 or not len(times) or not times.shape == error.shape == floor.shape:
        shapes = f"{times.shape}, {error.shape} and {floor.shape}"
        raise ValueError(f"ts, fm and gap need one shape (time,), but have {shapes}")
    ax = ax or new_axes(6, 3.4)
    ax.fill_between(times, floor, color=NOISE, alpha=0.45, linewidth=0, label="gap")
    ax.fill_between(times, floor, floor + error, color=EXACT, alpha=0.45, linewidth=0, label="$L_{FM}$")
    ax.plot(times, floor + error, color=DATA, label="$L_{CFM}$")
    ax.set(xlabel="t", ylabel="loss", ylim=(0, 1.3 * (floor + error).max()))
    ax.legend(loc="upper left", ncols=3)
    return ax
