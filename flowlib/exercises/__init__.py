"""The exercises of the lessons: each function takes a reader's answer and says whether it is right.

`...` counts as not attempted. A wrong answer raises `CheckFailed`, with the usual mistake named where it
is one. The right answers are computed here, from the same data.
"""

from flowlib.exercises.lesson_01 import correlation_of_two_pixels, distance_of_two_noises, entry_of_a_pixel
from flowlib.exercises.lesson_09 import end_of_51_steps, target_of_a_pair, where_a_pixel_is_heading
