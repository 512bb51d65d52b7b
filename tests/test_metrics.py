"""Claims about the judge, the Fréchet distance and nearest neighbours, each against an oracle."""

import os
import warnings
from pathlib import Path

import pytest
import torch

import flowlib as fl
from flowlib import metrics

MNIST = Path(os.environ.get("FLOWLIB_MNIST_DIR") or Path(__file__).parents[2] / "shared" / "mnist")


@pytest.fixture(scope="module")
def digits():
    return fl.load_digits()


@pytest.fixture(scope="module")
def test_digits():
    if not (MNIST / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip("needs the MNIST test digits: set FLOWLIB_MNIST_DIR to the folder of the four .gz files")
    return fl.load_digits("full", split="test", folder=MNIST)


def noise(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 16, 16, generator=generator).clamp(-1, 1)


def random_gaussian(d, seed):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(d, generator=generator, dtype=torch.float64), root @ root.T / d


# The judge


def test_judge_reads_at_least_99_percent_of_the_bundled_digits(digits):
    assert metrics.accuracy(digits.images, digits.labels) >= 0.99


def test_judge_reads_real_test_digits_as_well_as_its_file_says(test_digits):
    measured = metrics.accuracy(test_digits.images, test_digits.labels)
    assert measured >= 0.993
    stated = float(metrics.load_judge().facts["accuracy"])
    assert measured == pytest.approx(stated, abs=2e-4)  # another processor may read two digits differently


def test_stored_reference_statistics_are_those_of_the_test_digits(test_digits):
    judge = metrics.load_judge()
    mean, covariance = metrics.feature_statistics(test_digits.images)
    torch.testing.assert_close(judge.reference_mean, mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(judge.reference_covariance, covariance, atol=1e-4, rtol=0)
    assert judge.facts["n_test"] == str(len(test_digits))


def test_features_of_real_digits_have_mean_near_0_and_variance_near_1():
    judge = metrics.load_judge()
    assert judge.reference_mean.abs().max() < 0.3
    assert judge.reference_covariance.diagonal().min() > 0.5
    assert judge.reference_covariance.diagonal().max() < 2


def test_judge_is_frozen_but_lets_gradients_through_to_the_images(digits):
    judge = metrics.load_judge()
    images = digits.images[:8].clone().requires_grad_()
    judge(images).sum().backward()
    assert images.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert not any(module.training for module in judge.modules())


def test_judge_gives_gradients_wherever_it_was_first_loaded(digits):
    metrics.load_judge.cache_clear()
    with torch.inference_mode():
        metrics.load_judge()
    images = digits.images[:2].clone().requires_grad_()
    metrics.load_judge()(images).sum().backward()
    assert images.grad.abs().max() > 0


def test_judge_has_one_gradient_for_each_image_under_vmap(digits):
    images, judge = digits.images[:3], metrics.load_judge()
    each = torch.func.vmap(torch.func.grad(lambda image: judge(image[None]).square().sum()))(images)
    for image, expected in zip(images, each):
        torch.testing.assert_close(
            torch.func.grad(lambda x: judge(x).square().sum())(image[None])[0], expected
        )


def test_judge_says_the_same_under_another_default_dtype(digits):
    images, labels, before = digits.images[:70], digits.labels[:70], torch.get_default_dtype()
    expected = metrics.accuracy(images, labels), metrics.frechet_distance(images)
    metrics.load_judge.cache_clear()
    try:
        torch.set_default_dtype(torch.float64)
        assert (metrics.accuracy(images, labels), metrics.frechet_distance(images)) == expected
    finally:
        torch.set_default_dtype(before)
        metrics.load_judge.cache_clear()


def test_judging_records_no_gradients(digits):
    images = digits.images[:70].clone().requires_grad_()
    judge = metrics.Judge().eval()  # its weights are not frozen
    mean, covariance = metrics.feature_statistics(images, judge)
    distances, _ = metrics.nearest_neighbours(images, digits.images[:9])
    assert not (mean.requires_grad or covariance.requires_grad or distances.requires_grad)


def test_judge_is_loaded_once_and_is_small():
    assert metrics.load_judge() is metrics.load_judge()
    assert metrics.JUDGE_FILE.stat().st_size <= 600_000


def test_accuracy_is_the_share_of_matching_labels(digits):
    images = digits.images[:100]
    read = torch.stack([metrics.load_judge()(image[None]).argmax() for image in images])
    wrong = (read + 1) % 10
    assert metrics.accuracy(images, read) == 1
    assert metrics.accuracy(images, wrong) == 0
    assert metrics.accuracy(images, torch.where(torch.arange(len(images)) < 25, read, wrong)) == 0.25


def test_results_do_not_depend_on_the_batch_size(digits, monkeypatch):
    images, labels = digits.images[:500], digits.labels[:500]
    assert len(images) % 7 != 0  # the last batch is a short one
    whole = metrics.accuracy(images, labels), metrics.frechet_distance(images)
    monkeypatch.setattr(metrics, "BATCH", 7)
    assert metrics.accuracy(images, labels) == whole[0]
    assert metrics.frechet_distance(images) == pytest.approx(whole[1], rel=1e-4)


# Fréchet distance


def test_feature_statistics_are_mean_and_covariance_summed_by_hand(digits):
    images = digits.images[:100]
    features = metrics.load_judge().features(images).double()
    expected = torch.zeros(64, 64, dtype=torch.float64)
    centre = sum(features) / len(features)
    for feature in features:
        expected += torch.outer(feature - centre, feature - centre) / (len(features) - 1)
    mean, covariance = metrics.feature_statistics(images)
    torch.testing.assert_close(mean, centre, atol=1e-5, rtol=0)
    torch.testing.assert_close(covariance, expected, atol=1e-5, rtol=0)


def test_gaussian_distance_in_one_dimension_is_the_known_formula():
    def line(value):
        return torch.tensor([value], dtype=torch.float64)

    measured = metrics.gaussian_frechet_distance(line(1.0), line(4.0)[None], line(3.0), line(25.0)[None])
    assert measured == pytest.approx((1 - 3) ** 2 + (2 - 5) ** 2, abs=1e-12)


def test_gaussian_distance_of_diagonal_covariances_is_the_closed_form():
    generator = torch.Generator().manual_seed(1)
    means = torch.randn(2, 64, generator=generator, dtype=torch.float64)
    spreads = torch.rand(2, 64, generator=generator, dtype=torch.float64)  # standard deviations
    expected = (means[0] - means[1]).square().sum() + (spreads[0] - spreads[1]).square().sum()
    first, second = spreads.square()
    measured = metrics.gaussian_frechet_distance(means[0], first.diag(), means[1], second.diag())
    assert measured == pytest.approx(expected.item(), rel=1e-12)


def test_gaussian_distance_agrees_with_the_matrix_square_root_of_scipy():
    linalg = pytest.importorskip("scipy.linalg")
    (mean_1, covariance_1), (mean_2, covariance_2) = random_gaussian(64, 2), random_gaussian(64, 3)
    root = linalg.sqrtm((covariance_1 @ covariance_2).numpy()).real
    expected = (mean_1 - mean_2).square().sum() + (covariance_1 + covariance_2).trace() - 2 * root.trace()
    measured = metrics.gaussian_frechet_distance(mean_1, covariance_1, mean_2, covariance_2)
    assert measured == pytest.approx(expected.item(), rel=1e-9)


def test_gaussian_distance_survives_a_singular_covariance():
    flat = torch.zeros(3, 3, dtype=torch.float64)
    mean, covariance = random_gaussian(3, 4)
    expected = pytest.approx(covariance.trace().item(), rel=1e-12)  # the root of 0 is 0
    assert metrics.gaussian_frechet_distance(mean, covariance, mean, flat) == expected


def test_frechet_distance_is_zero_for_equal_sets_and_symmetric(digits):
    first, second = digits.images[:500], noise(500)
    assert metrics.frechet_distance(first, first) == pytest.approx(0, abs=1e-6)
    forth, back = metrics.frechet_distance(first, second), metrics.frechet_distance(second, first)
    assert forth == pytest.approx(back, rel=1e-6)


def test_frechet_distance_puts_real_digits_near_and_noise_far(digits):
    near = metrics.frechet_distance(digits.images)
    blurred = torch.stack([digits.only(digit).images.mean(dim=0) for digit in range(10)])[digits.labels]
    assert near < 1
    assert metrics.frechet_distance(blurred) > 10 * near
    assert metrics.frechet_distance(noise(2000)) > 20 * near


def test_frechet_distance_notices_a_missing_class(digits):
    without_ones = digits.images[digits.labels != 1]
    assert metrics.frechet_distance(without_ones) > 3 * metrics.frechet_distance(digits.images)


def test_frechet_distance_needs_more_images_than_features(digits):
    with pytest.raises(ValueError, match=r"at least 65 images.*singular.*got 64"):
        metrics.frechet_distance(digits.images[:64])
    assert metrics.frechet_distance(digits.images[:65]) > 0


# Nearest neighbours


def test_nearest_neighbours_are_those_of_a_brute_force_loop(digits):
    images, data = noise(20), digits.images[:1000]
    distances, indices = metrics.nearest_neighbours(images, data, k=3)
    for image, found, which in zip(images, distances, indices, strict=True):
        each = torch.stack([(image.double() - other.double()).square().sum().sqrt() for other in data])
        expected, order = each.sort()
        torch.testing.assert_close(found.double(), expected[:3], rtol=1e-6, atol=0)
        assert which.tolist() == order[:3].tolist()


def test_nearest_neighbours_do_not_depend_on_the_pieces_they_are_found_in():
    generator = torch.Generator().manual_seed(5)
    points = torch.randn(1030, 2, generator=generator)  # more than one piece of each
    data = torch.randn(9000, 2, generator=generator)
    distances, indices = metrics.nearest_neighbours(points, data, k=2)
    every = torch.cdist(points.double(), data.double(), compute_mode="donot_use_mm_for_euclid_dist")
    expected, order = every.topk(2, largest=False)
    torch.testing.assert_close(distances.double(), expected, rtol=1e-5, atol=0)
    assert torch.equal(indices, order)


def test_nearest_neighbours_stay_exact_where_squares_are_large_and_distances_small():
    generator = torch.Generator().manual_seed(6)
    points = 1000 + 0.1 * torch.randn(50, 4, generator=generator)
    data = 1000 + 0.1 * torch.randn(500, 4, generator=generator)
    distances, indices = metrics.nearest_neighbours(points, data, k=3)
    each = (points[:, None].double() - data.double()).square().sum(dim=2).sqrt()
    expected, order = each.sort(dim=1)
    torch.testing.assert_close(distances.double(), expected[:, :3], rtol=1e-6, atol=0)
    assert torch.equal(indices, order[:, :3])


def test_an_image_of_the_data_finds_itself_at_distance_zero(digits):
    distances, indices = metrics.nearest_neighbours(digits.images[4000:4010], digits.images)
    assert distances.squeeze(1).tolist() == [0.0] * 10
    assert indices.squeeze(1).tolist() == list(range(4000, 4010))


# What cannot be judged


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(100, 256), r"\(n, 1, 16, 16\).*have \(100, 256\).*reshape\(-1, 1, 16, 16\)"),
        (torch.zeros(100, 1, 28, 28), r"\(n, 1, 16, 16\).*have \(100, 1, 28, 28\)"),
        (torch.zeros(0, 1, 16, 16), r"n at least 1"),
        (torch.zeros(100, 1, 16, 16).long(), r"floats in \[-1, 1\].*int64.*127.5"),
        (torch.full((100, 1, 16, 16), 1.7), r"span \[1.70, 1.70\]; clamp with images.clamp\(-1, 1\)"),
        (torch.full((100, 1, 16, 16), float("nan")), r"100 of 100 hold NaN"),
    ],
)
def test_images_that_cannot_be_judged_are_refused_with_a_remedy(images, message):
    with pytest.raises(ValueError, match=message):
        metrics.accuracy(images, torch.zeros(len(images)).long())
    with pytest.raises(ValueError, match=message):
        metrics.feature_statistics(images)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda images: (images + 1) / 2, r"lie in \[0, 1\].*write 2 \* images - 1"),
        (lambda images: (1 - images) / 2, r"lie in \[0, 1\]"),
        (lambda images: -images, "are mostly ink.*write -images"),
    ],
    ids=["in [0, 1]", "in [0, 1] and inverted", "inverted"],
)
def test_images_of_another_scale_are_judged_with_a_hint(digits, wrong, hint):
    images, labels = digits.images[:70], digits.labels[:70]
    for judged in (lambda x: metrics.accuracy(x, labels), metrics.frechet_distance):
        with pytest.warns(UserWarning, match=hint):
            judged(wrong(images))


def test_no_digit_and_no_noise_is_taken_for_another_scale(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for images in (*digits.images, noise(9), torch.zeros(9, 1, 16, 16)):
            metrics.hint_at_scale(images)


def test_pixels_a_rounding_error_outside_the_range_are_accepted(digits):
    metrics.accuracy(digits.images[:9] * 1.0005, digits.labels[:9])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(3).long(), r"shape \(9,\), but have shape \(3,\)"),
        (torch.zeros(9), r"integers, but are torch.float32; convert with labels.long\(\)"),
        (torch.full((9,), 10), r"between 0 and 9 but span \[10, 10\].*without a class"),
        (torch.full((9,), -1), r"between 0 and 9 but span \[-1, -1\]"),
    ],
)
def test_labels_that_are_not_one_digit_per_image_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        metrics.accuracy(noise(9), labels)


@pytest.mark.parametrize(
    ("images", "data", "k", "message"),
    [
        (torch.zeros(2, 1, 16, 16), torch.zeros(5, 256), 1, r"same shape.*\(2, 1, 16, 16\) and \(5, 256\)"),
        (torch.zeros(2, 4), torch.zeros(5, 4), 0, r"between 1 and the size of the data, 5, but is 0"),
        (torch.zeros(2, 4), torch.zeros(5, 4), 6, r"between 1 and the size of the data, 5, but is 6"),
        (torch.full((2, 4), torch.nan), torch.zeros(5, 4), 1, r"images hold NaN"),
        (torch.zeros(2, 4), torch.full((5, 4), torch.inf), 1, r"data hold NaN or infinity"),
    ],
)
def test_neighbours_that_do_not_exist_are_refused(images, data, k, message):
    with pytest.raises(ValueError, match=message):
        metrics.nearest_neighbours(images, data, k)
