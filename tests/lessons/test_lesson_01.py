"""Lesson 01: what its explorers say, and how its exercises answer."""

import numpy as np
import torch

from flowlib.lessons import lesson_01
from flowlib.lessons.drawings import READY_MADE

HOUSE = READY_MADE["a house"]


def test_the_words_of_image_as_vector_are_the_numbers_of_the_row(move, digits):
    explorer = lesson_01.image_as_vector(digits.images[:3])
    explorer.controls["number"].value, explorer.controls["row"].value = 0, 6
    numbers = ", ".join(f"{v:.1f}" for v in digits.images[0, 0, 6])
    assert move.alt(explorer) == f"Row 6 of the image is entries 96 to 111 of the vector: {numbers}."


def test_drawing_as_vector_finds_the_nearest_of_all_digits(move, digits):
    explorer = lesson_01.drawing_as_vector(digits)
    explorer.controls["drawing"].value = HOUSE
    house = [2 * int(level, 16) / 15 - 1 for level in HOUSE]
    gaps = [(torch.tensor(house) - image.flatten()).square().sum().sqrt().item() for image in digits.images]
    order = sorted(range(len(digits)), key=gaps.__getitem__)[:8]
    words = move.alt(explorer)
    assert f"labelled {', '.join(str(digits.labels[i].item()) for i in order)};" in words
    assert f"distances are {', '.join(f'{gaps[i]:.1f}' for i in order)}." in words
    assert f"{sum(level != '0' for level in HOUSE)} of the 256 numbers" in words


def test_entry_of_a_pixel(try_exercise):
    wrong = {117: "row 7, column 5", 88: "starts at 0", 70: "counted from 1"}
    try_exercise(lesson_01.entry_of_a_pixel, [87, 87.0, np.int64(87), [87]], wrong)


def test_distance_of_two_noises(try_exercise):
    wrong = {256: "two draws both stray", 22.627: "its square"}
    try_exercise(lesson_01.distance_of_two_noises, [512, 2 * 256], wrong)


def test_correlation_of_two_pixels(try_exercise, digits):
    threes = digits.only(3).images.flatten(1).numpy()
    right = np.corrcoef(threes[:, 85], threes[:, 101])
    try_exercise(lesson_01.correlation_of_two_pixels, [right[0, 1]], {0.0: "is not it"})
