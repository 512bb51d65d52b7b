"""The figure of lesson 07: what of the loss is error, and what nobody can know."""

from matplotlib.axes import Axes
from torch import Tensor

from flowlib.plots.figures import DATA, EXACT, NOISE, as_array, new_axes


def losses_over_time(ts: Tensor, fm: Tensor, gap: Tensor, ax: Axes | None = None) -> Axes:
    """L_CFM(t) as what it is made of: the gap (grey), and on top of it L_FM(t) (blue). All `(time,)`."""
    ts, fm, gap = (as_array(values) for values in (ts, fm, gap))
    if ts.ndim != 1 or not len(ts) or not ts.shape == fm.shape == gap.shape:
        shapes = f"{ts.shape}, {fm.shape} and {gap.shape}"
        raise ValueError(f"ts, fm and gap need one shape (time,), but have {shapes}")
    ax = ax or new_axes(6, 3.4)
    ax.fill_between(ts, gap, color=NOISE, alpha=0.45, linewidth=0, label="gap")
    ax.fill_between(ts, gap, gap + fm, color=EXACT, alpha=0.45, linewidth=0, label="$L_{FM}$")
    ax.plot(ts, gap + fm, color=DATA, label="$L_{CFM}$")
    ax.set(xlabel="t", ylabel="loss", ylim=(0, 1.3 * (gap + fm).max()))
    ax.legend(loc="upper left", ncols=3)
    return ax
