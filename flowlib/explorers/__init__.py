"""What moves in the lessons: one module per lesson, each function an explorer."""

from flowlib.explorers.base import Explorer
from flowlib.explorers.generation import heading, solver_steps
from flowlib.explorers.images import image_as_vector, pixel_neighbours, shadows
