"""The checks of the lessons: what they let pass, what they refuse, and the line that they print."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from flowlib.lessons.checks import CheckFailed, check_answer, check_close, check_differs, check_mean

# check_close and check_differs


def test_a_small_gap_is_printed_in_the_form_of_the_lessons(capsys):
    check_close(
        "continuity equation", torch.tensor([1.0, 8.3e-16], dtype=torch.float64), [1.0, 0.0], tol=1e-10
    )
    assert (
        capsys.readouterr().out == "✓ continuity equation: max |left − right| = 8.3e-16 (tolerance 1e-10)\n"
    )


def test_a_large_gap_fails_with_the_same_numbers(capsys):
    with pytest.raises(CheckFailed) as failure:
        check_close("continuity equation", [1.0, 2.0], [1.0, 2.3], tol=1e-10)
    assert str(failure.value) == "✗ continuity equation: max |left − right| = 3.0e-01 (tolerance 1e-10)"
    assert capsys.readouterr().out == ""
    assert issubclass(CheckFailed, AssertionError)


def test_the_printed_tolerance_is_the_one_that_is_used(capsys):
    check_close("rough", 1.0, 1.1, tol=0.15)
    assert "(tolerance 0.15)" in capsys.readouterr().out


def test_the_gap_is_the_largest_one_of_either_sign_wherever_it_sits():
    for place in [(0, 0), (1, 2)]:
        for sign in (1, -1):
            left = torch.zeros(2, 3, dtype=torch.float64)
            left[place] = sign * 0.2
            check_close("gap", left, torch.zeros(2, 3), tol=0.2)
            with pytest.raises(CheckFailed):
                check_close("gap", left, torch.zeros(2, 3), tol=0.199)


def test_a_gap_as_large_as_the_tolerance_passes_and_equal_sides_pass_without_any():
    check_close("edge", 0.25, 0.5, tol=0.25)
    check_close("exact", torch.arange(5), list(range(5)), tol=0)


@pytest.mark.parametrize(
    "value",
    [0.1, np.float64(0.1), np.array(0.1), torch.tensor(0.1, dtype=torch.float64)],
    ids=["number", "numpy number", "array", "tensor"],
)
def test_a_number_is_compared_in_float64_whatever_carries_it(value):
    check_close("a tenth", value, torch.tensor(0.1, dtype=torch.float64), tol=1e-16)
    with pytest.raises(CheckFailed):
        check_close("a tenth", value, 0.1 + 1e-9, tol=1e-10)


def test_what_autograd_tracks_can_be_compared():
    check_close("tracked", torch.ones(2, requires_grad=True) * 2, [2.0, 2.0], tol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("check", [check_close, check_differs])
def test_values_that_are_not_finite_are_refused_even_where_both_sides_agree(bad, check):
    for left, right in [([bad, 1.0], [0.0, 1.0]), ([0.0, 1.0], [bad, 1.0]), ([bad, 1.0], [bad, 1.0])]:
        with pytest.raises(ValueError, match="finite, but 1 of"):
            check("limits", left, right, 1.0)


@pytest.mark.parametrize("check", [check_close, check_differs])
@pytest.mark.parametrize(
    "shapes", [((3,), (1,)), ((3,), ()), ((2, 3), (3, 2)), ((3,), (1, 3)), ((2,), (3,))], ids=str
)
def test_different_shapes_are_refused_even_where_they_would_broadcast(check, shapes):
    left, right = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError) as error:
        check("shapes", left, right, 1.0)
    assert all(str(shape) in str(error.value) for shape in shapes)


@pytest.mark.parametrize("check", [check_close, check_differs])
def test_nothing_is_not_equal_to_nothing(check):
    with pytest.raises(ValueError, match="no elements"):
        check("empty", torch.zeros(0), torch.zeros(0), 1.0)


@pytest.mark.parametrize("tol", [math.nan, -1.0])
def test_a_negative_tolerance_lets_nothing_pass_and_nan_neither(tol):
    with pytest.raises(CheckFailed):
        check_close("strict", 1.0, 1.0, tol=tol)


def test_check_differs_wants_a_gap(capsys):
    check_differs("two roads", [0.0, 1.0], [0.0, 3.0], at_least=2)
    assert capsys.readouterr().out == "✓ two roads: max |left − right| = 2 (at least 2)\n"
    with pytest.raises(CheckFailed, match=r"^✗ two roads.*at least 2\.5"):
        check_differs("two roads", [0.0, 1.0], [0.0, 3.0], at_least=2.5)


# check_mean


def test_a_true_mean_is_covered_as_often_as_the_normal_distribution_says():
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(2000, 400, generator=generator, dtype=torch.float64)
    for errors, coverage in [(1.0, 0.6827), (2.0, 0.9545)]:
        covered = 0
        for samples in draws:
            try:
                check_mean("uniform", samples, 0.5, errors=errors)
                covered += 1
            except CheckFailed:
                pass
        spread = (coverage * (1 - coverage) / 2000) ** 0.5
        assert covered / 2000 == pytest.approx(coverage, abs=4 * spread + 0.002)


def test_a_mean_that_is_off_by_more_than_four_standard_errors_fails(capsys):
    samples = torch.tensor([0.0, 2.0] * 50, dtype=torch.float64)  # mean 1, standard error 1/√99
    error = 1 / 99**0.5
    check_mean("mean", samples, 1 + 3.99 * error)
    check_mean("mean", samples, 1 - 3.99 * error)
    for wrong in (1 + 4.01 * error, 1 - 4.01 * error):
        with pytest.raises(CheckFailed, match=r"off by 4\.0 standard errors, 4 allowed"):
            check_mean("mean", samples, wrong)
    capsys.readouterr()
    check_mean("mean", samples, 1 + 2 * error)
    said = capsys.readouterr().out
    assert said == "✓ mean: 1 ± 0.1, expected 1.201 (off by 2.0 standard errors, 4 allowed)\n"


def test_samples_that_never_vary_must_hit_the_mean_exactly():
    check_mean("constant", torch.ones(5), 1)
    with pytest.raises(CheckFailed, match="off by inf"):
        check_mean("constant", torch.ones(5), 2)


@pytest.mark.parametrize("shape", [(), (1,), (10, 2)], ids=str)
def test_a_mean_is_of_at_least_two_independent_numbers(shape):
    with pytest.raises(ValueError, match="at least 2"):
        check_mean("shape", torch.ones(shape), 1)


def test_a_mean_of_samples_that_are_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        check_mean("nan", torch.tensor([1.0, math.nan]), 1)


# check_answer


def test_dots_are_not_attempted_yet_and_never_an_error(capsys):
    check_answer("1.1", ..., 3.0, {"a hint": 2.0})
    assert capsys.readouterr().out.startswith("○ 1.1: not attempted yet")


@pytest.mark.parametrize(
    "answer",
    [
        3,
        3.0,
        3.00001,
        [3],
        [[3.0]],
        (3,),
        True + 2,
        Fraction(3),
        np.int64(3),
        np.float32(3),
        np.array([3.0]),
        torch.tensor(3),
        torch.tensor([3.0]),
        torch.tensor([[3]], dtype=torch.uint8),
        torch.tensor(3.0, dtype=torch.float16),
        torch.tensor(3.0, dtype=torch.bfloat16),
        torch.tensor(3.0, requires_grad=True),
    ],
    ids=repr,
)
def test_a_right_number_is_right_in_any_form(answer, capsys):
    check_answer("1.1", answer, 3.0)
    assert capsys.readouterr().out == "✓ 1.1: right\n"


@pytest.mark.parametrize(
    "answer",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3]),
        np.array([3.0, 2.0, 1.0])[::-1],
        torch.tensor([1, 2, 3]),
        torch.tensor([[1.0, 2.0, 3.0]]),
        [torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0)],
        [np.float32(1), 2, 3.0],
    ],
    ids=repr,
)
def test_a_right_vector_is_right_in_any_form(answer, capsys):
    check_answer("1.2", answer, torch.tensor([1.0, 2.0, 3.0]))
    assert capsys.readouterr().out == "✓ 1.2: right\n"


def test_a_list_of_rows_is_a_matrix():
    check_answer("1.3", [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "value", [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.ones(2, 3)], ids=["square", "ones"]
)
def test_a_transpose_is_another_answer(value):
    check_answer("1.3", value, value)
    with pytest.raises(CheckFailed, match=r"^✗ 1\.3: "):
        check_answer("1.3", value.T, value)


@pytest.mark.parametrize("answer", [[1, 2], [1, 2, 3, 4], 1.0, [], [[1, 2, 3], [1, 2, 3]]], ids=repr)
def test_an_answer_of_another_shape_is_told_both_shapes(answer):
    with pytest.raises(CheckFailed) as failure:
        check_answer("1.2", answer, [1.0, 2.0, 3.0])
    assert "(3,)" in str(failure.value) and str(tuple(np.array(answer).shape)) in str(failure.value)


def test_a_known_mistake_gets_its_own_hint():
    mistakes = {
        "the sign is the other way round": -3.0,
        "square it": 3**0.5,
        "one per coordinate": [1.5, 1.5],
    }
    for hint, value in mistakes.items():
        with pytest.raises(CheckFailed, match=f"^✗ 1.1: {hint}$"):
            check_answer("1.1", value, 3.0, mistakes)
    with pytest.raises(CheckFailed, match="4 is not it"):
        check_answer("1.1", 4, 3.0, mistakes)


def test_a_mistake_may_have_another_shape_than_the_answer():
    mistakes = {"that is the sum of both": 3.0, "the other order": [2.0, 1.0]}
    check_answer("1.2", [1, 2], [1.0, 2.0], mistakes)
    with pytest.raises(CheckFailed, match="that is the sum of both"):
        check_answer("1.2", 3, [1.0, 2.0], mistakes)
    with pytest.raises(CheckFailed, match="the other order"):
        check_answer("1.2", [2, 1], [1.0, 2.0], mistakes)
    with pytest.raises(CheckFailed, match="these numbers are not it"):
        check_answer("1.2", [7, 7], [1.0, 2.0], mistakes)


def test_the_tolerance_grows_and_shrinks_with_the_size_of_the_answer():
    for right in (2e6, 2.0, 2e-6, -2e-6):
        check_answer("size", right * 1.00005, right)
        with pytest.raises(CheckFailed):
            check_answer("size", right * 1.001, right)
        with pytest.raises(CheckFailed):
            check_answer("size", 0, right)
    check_answer("size", 1e-5, 0)
    with pytest.raises(CheckFailed):
        check_answer("size", 1e-3, 0)
    check_answer("size", [1000.0, 1e-17], [1000.0, 0.0])
    check_answer("size", 3.1, 3.0, tol=0.05)


@pytest.mark.parametrize(
    "answer",
    [None, "seven", {"a": 1}, {1}, object(), len, 1 + 1j, [1, "two"], [[1, 2], [3]], torch.nn],
    ids=lambda answer: type(answer).__name__,
)
def test_nonsense_is_answered_in_words(answer):
    with pytest.raises(CheckFailed, match=f"a number or a tensor is needed.*{type(answer).__name__}"):
        check_answer("1.1", answer, 3.0)


@pytest.mark.parametrize("answer", [math.nan, math.inf, [math.nan], 10**30], ids=repr)
def test_a_number_beyond_numbers_is_wrong(answer):
    with pytest.raises(CheckFailed, match="is not it"):
        check_answer("1.1", answer, 3.0, {"hint": 2.0})


def test_a_wrong_answer_stops_the_cell_and_prints_no_tick(capsys):
    with pytest.raises(CheckFailed):
        check_answer("1.1", 2.5, 3.0)
    assert capsys.readouterr().out == ""
