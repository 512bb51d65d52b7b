"""Train the judge of flowlib.metrics and measure it.

    python flowlib/judge/train_judge.py --folder FOLDER_WITH_MNIST

Trains on the 60,000 digits of MNIST's training split at 16×16, then looks at the 10,000 test digits once: for
the accuracy and the reference statistics that are stored with the weights. A quarter of an hour on one core.
"""

import argparse
import time
from copy import deepcopy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

import flowlib as fl
from flowlib.metrics import JUDGE_FILE, Judge, feature_statistics

BATCH, LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING, AVERAGING = 128, 4e-3, 0.02, 0.03, 0.998


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, stretch, shear, shift and bend each image `(n, 1, 16, 16)` a little, as a hand would."""
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    angle, shear = uniform(-0.2, 0.2, n), uniform(-0.2, 0.2, n)  # radians; 0.2 is about 11 degrees
    wide, high = uniform(0.88, 1.14, n), uniform(0.88, 1.14, n)
    right, down = uniform(-1.2, 1.2, 2, n) / 8  # 1.2 pixels; the image spans [-1, 1], so a pixel is 1/8
    across = torch.stack([wide * angle.cos(), -angle.sin() + shear, right], dim=1)
    along = torch.stack([angle.sin(), high * angle.cos(), down], dim=1)
    grid = F.affine_grid(torch.stack([across, along], dim=1), list(images.shape), align_corners=False)
    bend = torch.randn(n, 2, 4, 4, generator=generator) * 0.4 / 8  # 0.4 pixels
    grid = grid + F.interpolate(bend, size=(16, 16), mode="bicubic").permute(0, 2, 3, 1)
    ink = F.grid_sample(images + 1, grid, mode="bicubic", align_corners=False) - 1  # outside lies paper, -1
    return ink.clamp(-1, 1)


def train(images: Tensor, labels: Tensor, epochs: int, seed: int) -> Judge:
    """Fit a judge by AdamW with a one-cycle learning rate; return the moving average of its weights."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    judge = Judge().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch forgot it
    average = deepcopy(judge)
    steps = len(images) // BATCH
    optimizer = torch.optim.AdamW(judge.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps)
    start = time.perf_counter()
    for epoch in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(images), generator=generator).split(BATCH)[:steps]:
            logits = judge(augment(images[batch], generator).contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            follow(average, judge)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch + 1:2d}/{epochs}  loss {total / steps:.4f}  {seconds:.0f} s", flush=True)
    return average.eval()


@torch.no_grad()
def follow(average: Judge, judge: Judge) -> None:
    """Move the average a small step towards the judge: weights and normalisation statistics alike."""
    for slow, fast in zip(average.state_dict().values(), judge.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - AVERAGING)
        else:
            slow.copy_(fast)


def main() -> None:
    """Train, round to half precision, measure on the test digits, save."""
    parser = argparse.ArgumentParser(description="Train the judge of flowlib.metrics and measure it.")
    parser.add_argument("--folder", type=Path, help="folder of the four MNIST .gz files; default: download")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=JUDGE_FILE)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the sum's order, and so the last bit, depends on the number of threads

    digits = fl.load_digits("full", split="train", folder=arguments.folder)
    test = fl.load_digits("full", split="test", folder=arguments.folder)
    judge = train(digits.images, digits.labels, arguments.epochs, arguments.seed)
    for parameter in judge.parameters():
        parameter.data = parameter.data.half().float()  # what is measured is what is stored

    with torch.no_grad():
        read = torch.cat([judge(batch).argmax(dim=1) for batch in test.images.split(250)])
    right = int((read == test.labels).sum())
    judge.reference_mean, judge.reference_covariance = feature_statistics(test.images, judge)
    parameters = dict(judge.named_parameters())
    tensors = {
        name: (tensor.half() if name in parameters else tensor).contiguous()
        for name, tensor in judge.state_dict().items()
    }
    facts = {
        "accuracy": f"{right / len(test):.4f}",
        "n_test": str(len(test)),
        "n_train": str(len(digits)),
        "epochs": str(arguments.epochs),
        "seed": str(arguments.seed),
        "features": "64 outputs of the last hidden layer, normalised, before its ReLU",
        "reference": "mean and covariance (n - 1) of the features of the MNIST test digits at 16x16",
    }
    save_file(tensors, arguments.out, facts)
    size = arguments.out.stat().st_size / 1e6
    print(f"{right} of {len(test)} test digits right; {size:.2f} MB in {arguments.out}")


if __name__ == "__main__":
    main()
