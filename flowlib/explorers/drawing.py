"""Lessons 01, 06 and 09: the reader's own drawing as a vector, as a digit among others, and as a start."""

import re
from functools import partial

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from flowlib.data import Digits
from flowlib.explorers.base import Explorer, choice, number, real
from flowlib.explorers.pulls import TOP, effective_number
from flowlib.fields import posterior_weights
from flowlib.gaussians import NO_CLASS
from flowlib.metrics import load_judge, nearest_neighbours
from flowlib.models import VelocityNet
from flowlib.paths import AffinePath, LinearPath
from flowlib.plots import image_grid, vector
from flowlib.solvers import solve_ode, time_grid
from flowlib.types import Batch

READY_MADE = {  # 16 rows of 16 pixels, ink from 0 to f
    "a three": "0000000000000000 0000000000000000 0000004772000000 00001bffff800000 0000af724af50000 "
    "0000560001f90000 0000000004f70000 000000089fe10000 0000000effb20000 0000000117fb0000 00000000009f1000 "
    "0000950000be0000 0000cfa67cf70000 000019fffd600000 0000000320000000 0000000000000000".replace(" ", ""),
    "a house": "0000000000000000 0000000000000000 00000003c3000000 0000001cfc100000 000000af5fa00000 "
    "000008f808f80000 00005fa000af5000 0003fc10001cf300 0005f5000005f500 0005f5000005f500 0005f5000005f500 "
    "0005f5000005f500 0005f5555555f500 0005fffffffff500 0000555555555000 0000000000000000".replace(" ", ""),
}


def image_of(drawing: str) -> Batch:
    """The drawing of a canvas as an image `(1, 1, 16, 16)` in [-1, 1].

    `drawing`: 256 hexadecimal digits, one a pixel, row by row, 0 (paper) to f (ink). Raises `ValueError`
    for anything else.
    """
    if not isinstance(drawing, str) or not re.fullmatch("[0-9a-f]{256}", drawing):
        raise ValueError(
            f"a drawing needs 256 hexadecimal digits, 0 to f, but is {str(drawing)[:20]!r}…, "
            f"of length {len(str(drawing))}; try fl.explorers.READY_MADE['a three']"
        )
    ink = torch.tensor([int(digit, 16) for digit in drawing]) / 15
    return (2 * ink - 1).view(1, 1, 16, 16)


def drawing_as_vector(digits: Digits) -> Explorer:
    """A drawing as a vector of 256 numbers, and the digits nearest to it."""

    def compute(drawing: str):
        image = image_of(drawing)
        distances, nearest = nearest_neighbours(image, digits.images, TOP)
        return image, distances[0], digits.images[nearest[0]], digits.labels[nearest[0]].tolist()

    def draw(figure: Figure, frame) -> str:
        image, distances, nearest, labels = frame
        above, below = figure.subplots(2, 1, height_ratios=(1, 1))
        vector(image[0], ax=above)
        far = [f"{d:.1f}" for d in distances]
        image_grid(torch.cat([image, nearest]), ["drawn", *far], columns=TOP + 1, ax=below)
        return (
            f"{(image > -1).sum()} of the 256 numbers are above −1. The nearest digits are labelled "
            f"{', '.join(map(str, labels))}; their distances are {', '.join(far)}."
        )

    return Explorer(compute, draw, (9.4, 3.6), drawing=canvas("drawing"))


def pulls_on_a_drawing(digits: Digits) -> Explorer:
    """A drawing mixed with noise: the images that pull it, how strongly, and their average."""
    points = digits.images.double()

    def compute(drawing: str, noise: int, t: float):
        x_t = noised(image_of(drawing).double(), noise, t, LinearPath())
        weights = posterior_weights(x_t, torch.tensor([t]).to(x_t), points, LinearPath())
        best = weights[0].topk(TOP)
        average = (weights @ points.flatten(1)).view_as(x_t)
        images = torch.cat([x_t, points[best.indices], average])
        return images, best.values, effective_number(weights).item(), t

    def draw(figure: Figure, frame) -> str:
        images, best, many, t = frame
        shares = [f"{w:.1%}" for w in best.tolist()]
        ax = image_grid(images, ["x", *shares, "average"], columns=TOP + 2, ax=figure.add_subplot())
        ax.set_title(f"t = {t:.2f}: {many:,.1f} of {len(points):,} images pull", loc="right", pad=4)
        return (
            f"At t = {t:.2f}, {many:,.1f} of {len(points):,} images pull the drawing, in effect; the "
            f"strongest have the weights {', '.join(shares)}."
        )

    return Explorer(
        compute,
        draw,
        (9.4, 1.8),
        drawing=canvas("drawing"),
        noise=number("noise number", 0, 0, 50),
        t=real("t", 0.3, 0, 0.9, 0.02),
    )


def finished_drawing(model: VelocityNet, steps: int = 25) -> Explorer:
    """A drawing, noised to x_t = t drawing + (1 - t) noise, and what the field of `model` makes of x_t.

    Source: Meng et al. 2021, arXiv:2108.01073, there with a diffusion model.
    """

    @torch.no_grad()
    def compute(drawing: str, label: str | int, noise: int, t: float):
        k = round(t * steps)
        image = image_of(drawing)
        told = torch.tensor([NO_CLASS if label == "any" else label])
        x_t = noised(image, noise, k / steps, model.path).to(next(model.parameters()))
        end = solve_ode(partial(model, label=told), x_t, time_grid(steps)[k:]).end.cpu()
        reads = load_judge()(torch.cat([image, end.clamp(-1, 1)])).argmax(1).tolist()
        return torch.cat([image, x_t.cpu(), end]), reads, (image - end).norm().item(), label, t

    def draw(figure: Figure, frame) -> str:
        images, reads, far, label, t = frame
        image_grid(images, ["drawn", f"x at t = {t:.2f}", "finished"], ax=figure.add_subplot())
        return (
            f"From t = {t:.2f}, told {label}: the judge reads the drawing as a {reads[0]}, and what becomes "
            f"of it, {far:.1f} away, as a {reads[1]}."
        )

    return Explorer(
        compute,
        draw,
        (7.2, 2.7),
        drawing=canvas("drawing"),
        label=choice("digit", ["any", *range(10)]),
        noise=number("noise number", 0, 0, 50),
        t=real("t", 0.4, 0, 1 - 1 / steps, 1 / steps),
    )


def noised(image: Batch, seed: int, t: float, path: AffinePath) -> Batch:
    """x_t = α_t image + σ_t noise, with the noise of `seed`."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
    return path.sample(noise, image, torch.tensor([t]).to(image))[0]


def canvas(name: str) -> widgets.DOMWidget:
    """A canvas with a drawing on it; without anywidget a list of drawings, and a line that says why."""
    try:
        from flowlib.explorers.canvas import Canvas
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        print("To draw by hand: python -m pip install anywidget, then start Jupyter again.")
        return widgets.Dropdown(options=READY_MADE.items(), description=name)
    return Canvas(description=name, value=READY_MADE["a three"])
