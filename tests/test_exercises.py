import numpy as np
import pytest
import torch

from flowlib import exercises
from flowlib.checks import CheckFailed
from flowlib.data import load_digits


def correlation():
    threes = load_digits().only(3).images.flatten(1).numpy()
    return np.corrcoef(threes[:, 85], threes[:, 101])[0, 1]


CASES = [  # exercise, right answers, wrong ones with words of the reply
    (
        exercises.entry_of_a_pixel,
        [87, 87.0, torch.tensor(87), [87]],
        {117: "row 7, column 5", 88: "starts at 0", 70: "counted from 1"},
    ),
    (exercises.distance_of_two_noises, [512, 2 * 256], {256: "two draws both stray", 22.627: "its square"}),
    (
        exercises.correlation_of_two_pixels,
        [correlation, lambda: torch.tensor(correlation())],
        {0.0: "is not it"},
    ),
    (
        exercises.target_of_a_pair,
        [[-4, 2], (-4.0, 2.0), np.array([-4, 2])],
        {(4, -2): "back to the noise", (2, 0): "bracket"},
    ),
    (
        exercises.where_a_pixel_is_heading,
        [0.8, 0.2 + 0.4 * 1.5],
        {1.1: "time that is left", 1.7: "0.6 of it is over"},
    ),
    (
        exercises.end_of_51_steps,
        [1.02, 51 / 50],
        {1.0: "50 steps would", 0.98: "49 steps would", 51: "number of steps"},
    ),
]


@pytest.mark.parametrize(
    ("exercise", "right", "wrong"), CASES, ids=lambda case: getattr(case, "__name__", "")
)
def test_an_exercise_accepts_right_answers_and_names_the_usual_mistakes(exercise, right, wrong, capsys):
    exercise(...)
    assert "not attempted" in capsys.readouterr().out
    for answer in right:
        exercise(answer() if callable(answer) else answer)
        assert "✓" in capsys.readouterr().out
    for answer, words in wrong.items():
        with pytest.raises(CheckFailed, match=words):
            exercise(answer)
