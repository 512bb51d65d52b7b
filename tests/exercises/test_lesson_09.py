import numpy as np

from flowlib import exercises


def test_target_of_a_pair(try_exercise):
    right = [[-4, 2], (-4.0, 2.0), np.array([-4, 2])]
    try_exercise(exercises.target_of_a_pair, right, {(4, -2): "back to the noise", (2, 0): "bracket"})


def test_where_a_pixel_is_heading(try_exercise):
    wrong = {1.1: "time that is left", 1.7: "0.6 of it is over"}
    try_exercise(exercises.where_a_pixel_is_heading, [0.8, 0.2 + 0.4 * 1.5], wrong)


def test_end_of_51_steps(try_exercise):
    wrong = {1.0: "50 steps would", 0.98: "49 steps would", 51: "number of steps"}
    try_exercise(exercises.end_of_51_steps, [1.02, 51 / 50], wrong)
