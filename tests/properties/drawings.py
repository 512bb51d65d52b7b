"""Good calls of everything that draws."""

from cases import DIGITS, drawn, given
from wrong import Case

import flowlib as fl
from flowlib.animations import trajectory_player
from flowlib.plots.losses import losses_over_time

plots = fl.plots
PLANE, LINE = {"dims": ((2,),)}, {"dims": ((1,),)}


def filmed(kind: str, how: dict, **more):
    """Times, states, and `more`."""

    def arguments(draw):
        d = drawn(draw, **how)
        ts = fl.time_grid(3)
        xs = d.points(4 * d.n).unflatten(0, (4, d.n))
        return {"ts": ("grid", ts), "xs": (kind, xs)} | more

    return arguments


def numbers(*names):
    """As many numbers under each name."""
    return given(lambda d: {name: ("points", d.times()) for name in names}, sizes=(2, 4))


DRAWINGS = {
    "image_grid": Case(
        plots.image_grid,
        given(lambda d: {"images": ("points", d.points()), "columns": ("count", 3)}, **DIGITS),
    ),
    "film_strip": Case(
        lambda ts, xs, **how: plots.film_strip(fl.Trajectory(ts, xs), **how),
        filmed("points", DIGITS, frames=("count", 2), columns=("count", 2)),
    ),
    "signed_image": Case(
        plots.signed_image,
        given(lambda d: {"values": ("points", d.points(1)[0, 0]), "limit": ("number", 1.0)}, **DIGITS),
    ),
    "vector": Case(
        plots.vector,
        given(lambda d: {"image": ("points", d.points(1)[0]), "row": ("count", 3)}, **DIGITS),
    ),
    "clouds": Case(
        lambda cloud: plots.clouds({"a": cloud}), given(lambda d: {"cloud": ("points", d.points())}, **PLANE)
    ),
    "paths_2d": Case(
        lambda ts, xs: plots.paths_2d(fl.Trajectory(ts, xs), fl.five_points()), filmed("points", PLANE)
    ),
    "against_time": Case(lambda ts, xs: plots.against_time(fl.Trajectory(ts, xs)), filmed("points", LINE)),
    "curve": Case(plots.curve, numbers("x", "y")),
    "log_log": Case(lambda x, y: plots.log_log({"a": (x, y)}), numbers("x", "y")),
    "losses_over_time": Case(losses_over_time, numbers("ts", "fm", "gap")),
    "arrows": Case(
        lambda field, **how: plots.arrows(field, **how),
        lambda draw: {
            "field": ("field", lambda x, t: -x),
            "t": ("number", 0.5),
            "span": ("number", 2.0),
            "count": ("count", 3),
        },
    ),
    "lattice": Case(
        lambda field, **how: plots.lattice(lambda x: field(x, None), **how),
        lambda draw: {"field": ("field", lambda x, t: -x), "span": ("number", 2.0), "cells": ("count", 3)},
    ),
    "pulls": Case(
        plots.pulls,
        given(
            lambda d: {
                "x": ("points", d.points(1)[0]),
                "ends": ("points", d.points()),
                "weights": ("points", d.times()),
                "mean": ("points", d.points(1)[0]),
            },
            **PLANE,
        ),
    ),
    "diamonds": Case(
        lambda data: plots.diamonds(data, plots.row(1)[1][0]),
        given(lambda d: {"data": ("points", d.points())}, **PLANE),
    ),
    "row": Case(lambda count: plots.row(count), lambda draw: {"count": ("count", 2)}),
    "trajectory_player": Case(
        lambda ts, xs, **how: trajectory_player(fl.Trajectory(ts, xs), **how),
        filmed("points", DIGITS, columns=("count", 2), seconds=("number", 1.0)),
    ),
}
