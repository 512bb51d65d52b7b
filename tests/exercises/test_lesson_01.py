import numpy as np

from flowlib import exercises


def test_entry_of_a_pixel(try_exercise):
    wrong = {117: "row 7, column 5", 88: "starts at 0", 70: "counted from 1"}
    try_exercise(exercises.entry_of_a_pixel, [87, 87.0, np.int64(87), [87]], wrong)


def test_distance_of_two_noises(try_exercise):
    wrong = {256: "two draws both stray", 22.627: "its square"}
    try_exercise(exercises.distance_of_two_noises, [512, 2 * 256], wrong)


def test_correlation_of_two_pixels(try_exercise, digits):
    threes = digits.only(3).images.flatten(1).numpy()
    right = np.corrcoef(threes[:, 85], threes[:, 101])
    try_exercise(exercises.correlation_of_two_pixels, [right[0, 1]], {0.0: "is not it"})
