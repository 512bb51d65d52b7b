import torch

from flowlib import explorers


def test_image_as_vector_follows_its_controls_and_its_words_are_the_numbers_of_the_row(move, digits):
    explorer = explorers.image_as_vector(digits.images[:3])
    move.every(explorer)
    explorer.controls["number"].value, explorer.controls["row"].value = 0, 6
    numbers = ", ".join(f"{v:.1f}" for v in digits.images[0, 0, 6])
    assert move.alt(explorer) == f"Row 6 of the image is entries 96 to 111 of the vector: {numbers}."


def test_pixel_neighbours_follows_its_controls(move, digits):
    move.every(explorers.pixel_neighbours(digits))


def test_shadows_follows_its_controls(move, digits):
    move.every(explorers.shadows(digits, torch.linalg.qr(torch.randn(256, 5))[0]))
