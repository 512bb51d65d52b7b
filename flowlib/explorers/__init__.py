"""What moves in the lessons: one module per lesson, each function an explorer."""

from flowlib.explorers.base import Explorer
from flowlib.explorers.drawing import (
    READY_MADE,
    drawing_as_vector,
    finished_drawing,
    image_of,
    pulls_on_a_drawing,
)
from flowlib.explorers.flows import drifting_point, mapped_lattice, solver_against_exact
from flowlib.explorers.generation import heading, solver_steps
from flowlib.explorers.images import image_as_vector, pixel_neighbours, shadows
from flowlib.explorers.learning import be_the_network, moving_bell, training_stages
from flowlib.explorers.objective import losses_at_each_time, regressor
from flowlib.explorers.pulls import pulls_at_a_place, pulls_on_a_digit
from flowlib.explorers.samples import blend, finite_sample
from flowlib.explorers.schedules import schedules, switchboard, two_views
from flowlib.explorers.uniqueness import existence_lab, nearby_starts, picard_iteration
