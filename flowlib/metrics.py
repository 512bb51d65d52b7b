"""Three questions to generated digits: do they read as their label, vary like real ones, and are they new?

The first two are put to the *judge*, a small frozen classifier of 16×16 digits that comes with flowlib.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from flowlib.types import Batch, check_finite, check_floats, check_tensors, hint_at_scale, is_hidden

JUDGE_FILE = Path(__file__).parent / "judge" / "judge.safetensors"
FEATURES = 64  # numbers in which the judge describes an image
BATCH = 256  # images judged at once: about 30 MB
SLACK = 1e-3  # how far a pixel may lie outside [-1, 1]


class Judge(nn.Module):
    """A frozen classifier of digits, images `(n, 1, 16, 16)` in [-1, 1] -> logits `(n, 10)`.

    It describes an image by 64 features, each with mean about 0 and variance about 1 over real digits, and
    reads the digit off these. It also carries the mean and covariance of the features of the 10,000 MNIST
    test digits, so a Fréchet distance needs no data. `facts` says how it was made and how well it reads.
    """

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(1, 16),
            *_convolution(16, 32),  # (n, 32, 16, 16)
            nn.MaxPool2d(2),
            *_convolution(32, 64),
            *_convolution(64, 64),  # (n, 64, 8, 8)
            nn.MaxPool2d(2),
            *_convolution(64, 64),  # (n, 64, 4, 4)
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(1024, FEATURES, bias=False),
            nn.BatchNorm1d(FEATURES, affine=False),  # (n, 64)
        ).float()  # whatever the default is
        self.head = nn.Linear(FEATURES, 10).float()
        self.register_buffer("reference_mean", torch.zeros(FEATURES, dtype=torch.float64))
        self.register_buffer("reference_covariance", torch.zeros(FEATURES, FEATURES, dtype=torch.float64))
        self.facts: dict[str, str] = {}

    def features(self, images: Batch) -> Tensor:
        """The 64 numbers `(n, 64)` in which the judge describes each image `(n, 1, 16, 16)` in [-1, 1]."""
        _check_images(images)
        return self.body(images.to(self.head.weight))

    def forward(self, images: Batch) -> Tensor:
        """Logits `(n, 10)`; the largest is the digit that the judge reads."""
        return self.head(self.features(images).relu())


def _convolution(channels_in: int, channels_out: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(channels_out), nn.ReLU()]


@cache
@torch.inference_mode(False)  # whoever loads it, all share it
def load_judge() -> Judge:
    """The judge that comes with flowlib, frozen; read once, then shared."""
    if not JUDGE_FILE.exists():
        raise ValueError(f"the judge's weights are missing: no file {JUDGE_FILE}; reinstall flowlib")
    judge = Judge()
    with safe_open(JUDGE_FILE, framework="pt") as file:
        judge.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        judge.facts = file.metadata()
    return judge.requires_grad_(False).eval()


def accuracy(images: Batch, labels: Tensor) -> float:
    """Share of the images `(n, 1, 16, 16)` that the judge reads as their label `(n,)`, between 0 and 1.

    The judge errs too: `load_judge().facts["accuracy"]` is its accuracy on real test digits.
    Warns where images seem to be in [0, 1], or inverted. Raises `ValueError` for images outside [-1, 1] or
    labels that are not integers from 0 to 9, one per image.
    """
    _check_images(images)
    hint_at_scale(images)
    _check_labels(labels, len(images))
    read = _in_batches(load_judge(), images).argmax(dim=1)
    return (read == labels.cpu()).double().mean().item()


def feature_statistics(images: Batch, judge: Judge | None = None) -> tuple[Tensor, Tensor]:
    """Mean `(64,)` and covariance `(64, 64)`, in float64, of the judge's features of images `(n, 1, 16, 16)`.

    The covariance is the unbiased one (divided by n - 1). Warns as `accuracy` does. Raises `ValueError` for
    fewer than 65 images, whose covariance in 64 dimensions is singular whatever they show.
    """
    _check_images(images)
    hint_at_scale(images)
    if len(images) <= FEATURES:
        raise ValueError(
            f"feature statistics need at least {FEATURES + 1} images, because fewer give {FEATURES} features "
            f"a singular covariance, but got {len(images)}; draw more samples (1,000 make a steady number)"
        )
    features = _in_batches((judge or load_judge()).features, images).double()
    return features.mean(dim=0), features.T.cov()


def frechet_distance(images: Batch, reference: Batch | None = None) -> float:
    """Distance between images and real digits, as two Gaussians in the judge's 64 features; 0 is best.

    ‖m1 - m2‖² + tr(C1 + C2 - 2 (C1 C2)^(1/2)), with m and C of `feature_statistics`. The reference is the
    10,000 MNIST test digits unless other images are given. The features are this judge's own, so the number
    compares with other numbers of this function, not with published FIDs; and it falls as the sample grows,
    even when the images are perfect, so compare equal numbers of images. Raises `ValueError` for fewer than
    65 images.
    Source: Heusel et al. 2017, arXiv:1706.08500, there with the features of Inception-v3.
    """
    if reference is None:
        judge = load_judge()
        expected = judge.reference_mean, judge.reference_covariance
    else:
        expected = feature_statistics(reference)
    return gaussian_frechet_distance(*feature_statistics(images), *expected)


def gaussian_frechet_distance(
    mean_1: Tensor, covariance_1: Tensor, mean_2: Tensor, covariance_2: Tensor
) -> float:
    """Squared Fréchet distance ‖m1 - m2‖² + tr(C1 + C2 - 2 (C1 C2)^(1/2)) between two Gaussians.

    Means `(d,)`, covariances `(d, d)`, computed in float64. C1 C2 is not symmetric, but has the eigenvalues
    of C1^(1/2) C2 C1^(1/2), which is; the trace of the root is the sum of their square roots. Raises
    `ValueError` for other shapes and numbers that are not finite.
    Source: Dowson & Landau 1982, J. Multivariate Analysis 12, 450-455.
    """
    check_finite(mean_1=mean_1, covariance_1=covariance_1, mean_2=mean_2, covariance_2=covariance_2)
    shapes = [tuple(each.shape) for each in (mean_1, covariance_1, mean_2, covariance_2)]
    if shapes != [(len(mean_1),), (len(mean_1), len(mean_1))] * 2:
        raise ValueError(f"means need one shape (d,), covariances (d, d), but in turn they have {shapes}")
    mean_1, covariance_1, mean_2, covariance_2 = (
        each.double() for each in (mean_1, covariance_1, mean_2, covariance_2)
    )
    values, vectors = torch.linalg.eigh(covariance_1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    eigenvalues = torch.linalg.eigvalsh(root @ covariance_2 @ root).clamp(min=0)  # rounding can dip below 0
    trace = covariance_1.trace() + covariance_2.trace() - 2 * eigenvalues.sqrt().sum()
    return ((mean_1 - mean_2).square().sum() + trace).clamp(min=0).item()


def nearest_neighbours(images: Batch, data: Batch, k: int = 1) -> tuple[Tensor, Tensor]:
    """The distances and the indices, `(n, k)` both, of the k members of `data` nearest to each image.

    `images`: `(n, *dim)`, `data`: `(m, *dim)`. Euclidean distance between the pixels, nearest first, exact.
    An image that is itself in `data` finds itself at distance 0. Works in pieces of about 50 MB, so 60,000
    digits are no trouble. Raises `ValueError` for unequal shapes, NaN, or a k other than the whole numbers
    from 1 to m.
    """
    for name, batch in (("images", images), ("data", data)):
        check_floats(**{name: batch})
    if images.dim() < 2 or images.shape[1:] != data.shape[1:]:
        raise ValueError(
            f"images and data need the same shape after the first axis, but are {tuple(images.shape)} and "
            f"{tuple(data.shape)}; compare digits (n, 1, 16, 16) with digits.images (m, 1, 16, 16)"
        )
    if k not in range(1, len(data) + 1):
        raise ValueError(f"k must lie between 1 and the size of the data, {len(data)}, but is {k!r}")
    for name, batch in (("images", images), ("data", data)):
        if not batch.isfinite().all():
            raise ValueError(f"{name} hold NaN or infinity, to which nothing is near; remove them first")
    images, data = (each.detach().flatten(1).cpu() for each in (images, data))
    pieces = [_nearest(piece, data, int(k)) for piece in images.split(1024)]
    distances, indices = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    return distances, indices


def _nearest(points: Tensor, data: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Rank by ‖y‖² - 2 x·y in float64, piece by piece of the data y; then measure ‖x - y‖ of the best k."""
    points = points.double()  # (n, d)
    ranks = torch.empty(len(points), 0, dtype=torch.float64)
    indices = torch.empty(len(points), 0, dtype=torch.int64)
    for start in range(0, len(data), 1024):
        piece = data[start : start + 1024].double()
        squared = torch.addmm(piece.square().sum(dim=1), points, piece.T, alpha=-2)  # (n, 1024), up to ‖x‖²
        here, which = squared.topk(min(k, len(piece)), largest=False)
        ranks, order = torch.cat([ranks, here], dim=1).topk(min(k, start + len(piece)), largest=False)
        indices = torch.cat([indices, which + start], dim=1).gather(1, order)
    distances = torch.stack([(points - data[column].double()).norm(dim=1) for column in indices.T], dim=1)
    distances, order = distances.sort(dim=1, stable=True)
    return distances.float(), indices.gather(1, order)


def _in_batches(function: Callable[[Batch], Tensor], images: Batch) -> Tensor:
    return torch.cat([function(batch.detach().cpu().float()).detach() for batch in images.split(BATCH)])


def _check_images(images: Batch) -> None:
    check_tensors(images=images)
    if images.dim() != 4 or images.shape[1:] != (1, 16, 16) or len(images) == 0:
        raise ValueError(
            f"images need shape (n, 1, 16, 16) with n at least 1, but have {tuple(images.shape)}; "
            "vectors of 256 pixels become images by images.reshape(-1, 1, 16, 16)"
        )
    if not images.is_floating_point():
        raise ValueError(
            f"images need floats in [-1, 1], but are {images.dtype}; convert 0..255 by images / 127.5 - 1"
        )
    if is_hidden(images):
        return
    if not images.isfinite().all():
        broken = int((~images.isfinite()).flatten(1).any(dim=1).sum())
        raise ValueError(
            f"images must be finite, but {broken} of {len(images)} hold NaN or infinity; sample again"
        )
    low, high = images.aminmax()
    if low < -1 - SLACK or high > 1 + SLACK:
        raise ValueError(
            f"pixels must lie in [-1, 1] but span [{low:.2f}, {high:.2f}]; clamp with images.clamp(-1, 1)"
        )


def _check_labels(labels: Tensor, n: int) -> None:
    check_tensors(labels=labels)
    if labels.shape != (n,):
        raise ValueError(
            f"labels need one digit per image, shape ({n},), but have shape {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels need integers, but are {labels.dtype}; convert with labels.long()")
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(
            f"labels must lie between 0 and 9 but span [{int(labels.min())}, {int(labels.max())}]; "
            "leave out images drawn without a class (label 10)"
        )
