"""The exercises of the lessons: each function takes a reader's answer and says whether it is right.

`...` counts as not attempted. A wrong answer raises `CheckFailed`, with the usual mistake named where it
is one. The right answers are computed here, from the same data.
"""

from flowlib.exercises.lesson_01 import correlation_of_two_pixels, distance_of_two_noises, entry_of_a_pixel
from flowlib.exercises.lesson_02 import (
    density_and_probability,
    images_for_a_smaller_error,
    peak_above_the_shell,
    root_of_a_covariance,
)
from flowlib.exercises.lesson_03 import (
    end_of_a_ride,
    flow_between_times,
    order_of_a_method,
    two_euler_steps,
)
from flowlib.exercises.lesson_04 import (
    largest_distance_of_neighbours,
    second_picard_iterate,
    smallest_lipschitz_constant,
    where_two_lines_cross,
)
from flowlib.exercises.lesson_05 import (
    best_line,
    calls_of_the_network,
    loss_of_a_constant_guess,
    velocity_of_a_stretch,
)
from flowlib.exercises.lesson_06 import (
    field_of_a_widening_cloud,
    velocity_to_one_point,
    weight_of_one_point,
    weights_of_unequal_points,
)
from flowlib.exercises.lesson_07 import (
    best_answer_and_its_loss,
    best_answer_for_absolute_error,
    floor_at_the_start,
    second_moment_of_a_square_root,
)
from flowlib.exercises.lesson_08 import (
    heading_in_another_convention,
    same_picture_on_the_arc,
    velocity_on_the_line,
    velocity_with_a_floor,
)
from flowlib.exercises.lesson_09 import end_of_51_steps, target_of_a_pair, where_a_pixel_is_heading
