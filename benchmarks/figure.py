"""The figure of `training.py`: how good digits are after how many seconds of training."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from flowlib.plots import CLASSES, DATA, LEARNED, NOISE, figure_png

OURS = "flowlib"
STYLES = {  # colour and marker
    OURS: (LEARNED, "o"),
    "conv net, Muon": (CLASSES[0], "s"),
    "conv net, AdamW": (CLASSES[1], "^"),
    "residual MLP": (NOISE, "D"),
    "transformer": ("#111827", "v"),
    "torchcfm U-Net": (CLASSES[2], "P"),
}
ACCURACIES = (0.1, 0.5, 0.9, 0.97, 0.99, 0.999)  # ticks
TEXT = 12


def quality_figure(report: dict) -> bytes:
    """Accuracy and Fréchet distance against seconds, a line for each network, as a PNG.

    Seconds and distances are logarithmic, accuracies log-odds, so that 0.9, 0.97 and 0.99 stay apart.
    """
    look = {"font.size": TEXT, "axes.spines.top": False, "axes.spines.right": False}
    with plt.rc_context(look):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
        for name in dict.fromkeys(row["network"] for row in report["rows"]):
            colour, marker = STYLES[name]
            look = {"color": colour, "marker": marker, "linewidth": 3 if name == OURS else 1.6, "label": name}
            look |= {"markersize": 8, "zorder": 3 if name == OURS else 2}
            rows = [row for row in report["rows"] if row["network"] == name]
            seconds = [row["budget"] for row in rows]
            shares = [within(row["accuracy"], report["samples"]) for row in rows]
            left.plot(seconds, shares, **look)
            right.plot(seconds, [row["distance"] for row in rows], **look)
        real = report["real"]
        left.axhline(within(real["accuracy"], report["samples"]), color=DATA, linestyle="--")
        right.axhline(real["distance"], color=DATA, linestyle="--", label="real digits")

        left.set(title="Read as the wanted digit", ylabel="accuracy")
        left.set_yscale("logit")
        left.set_ylim(0.03, 0.9995)
        left.yaxis.set_major_locator(FixedLocator(ACCURACIES))
        left.yaxis.set_major_formatter(FixedFormatter([f"{share:g}" for share in ACCURACIES]))
        left.yaxis.set_minor_locator(NullLocator())
        right.set(title="Fréchet distance to real digits", ylabel="distance", yscale="log")
        budgets = sorted({row["budget"] for row in report["rows"]})
        for ax in (left, right):
            label_seconds(ax, budgets)
            ax.grid(axis="y", alpha=0.3)
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        return figure_png(figure, dpi=150)


def within(share: float, samples: int) -> float:
    """A share as log-odds can draw it: none counts as half an image, all as all but half an image."""
    return min(max(share, 0.5 / samples), 1 - 0.5 / samples)


def label_seconds(ax: Axes, budgets: list[float]) -> None:
    """A logarithmic axis of seconds with a tick at each budget."""
    ax.set(xlabel="seconds of training", xscale="log", xlim=(budgets[0] / 1.2, budgets[-1] * 1.2))
    ax.xaxis.set_major_locator(FixedLocator(budgets))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{seconds:g}" for seconds in budgets]))
    ax.xaxis.set_minor_locator(NullLocator())
