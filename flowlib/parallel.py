"""Several processes that train one model, as `torchrun` starts them: each learns from its share of a batch.

All draw the same batch from the same seed and end a step with the same gradients, hence the same weights.
Process 0 leads: it says when to stop, and whoever prints or writes leaves that to it.
"""

import os
import signal

import torch
from torch import Tensor
from torch import distributed as dist

from flowlib.interrupts import ENDS


def find_device(device: str | torch.device) -> str:
    """The device asked for; the fastest one present for "auto". Raises `ValueError` where it is missing."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, there in present.items() if there)
    if not present.get(str(device).split(":")[0], True):
        raise ValueError(f"this machine has no {device} device; choose cpu, or auto for the fastest it has")
    return str(device)


def join(device: str = "cpu") -> int:
    """Meet the other processes where `torchrun` started this one; return its number, 0 where it is alone.

    All but number 0 ignore Ctrl-C and `ENDS` from then on, and stop when it does. On "cuda" each process
    takes a GPU of its own; raises `ValueError` where there are too few.
    """
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        return 0
    if device == "cuda":
        here, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if here >= gpus:
            raise ValueError(f"each process needs a GPU of its own; type torchrun --nproc-per-node {gpus}")
        torch.cuda.set_device(here)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
    if dist.get_rank():
        for number in (signal.SIGINT, *ENDS):
            signal.signal(number, signal.SIG_IGN)
    return dist.get_rank()


def leave() -> None:
    """Part from the other processes, once all have come to this point; alone, do nothing."""
    if processes()[1] > 1:
        dist.barrier()  # one that ended while another still spoke with it would take both down
        dist.destroy_process_group()


def processes() -> tuple[int, int]:
    """The number of this process, and how many there are: (0, 1) where it is alone."""
    together = dist.is_available() and dist.is_initialized()
    return (dist.get_rank(), dist.get_world_size()) if together else (0, 1)


def split_batch(*batch: Tensor) -> list[Tensor]:
    """The share of a batch for this one of n processes: every n-th point of each tensor.

    Raises `ValueError` where it does not divide, since the mean of means would then not be the mean.
    """
    here, count = processes()
    if len(batch[0]) % count:
        raise ValueError(
            f"a batch of {len(batch[0])} needs equal shares, but there are {count} processes; "
            "type torchrun --nproc-per-node with a number that divides it"
        )
    return [each[here::count] for each in batch]


@torch.no_grad()
def average_over_processes(tensors: list[Tensor]) -> None:
    """Put the mean over all processes in the place of each tensor. All travel as one."""
    _, count = processes()
    if count == 1:
        return
    flat = torch.cat([each.flatten() for each in tensors])
    dist.all_reduce(flat)  # the sum
    for each, mean in zip(tensors, (flat / count).split([each.numel() for each in tensors])):
        each.copy_(mean.view_as(each))


def broadcast_from_leader(number: float) -> float:
    """The `number` that process 0 gave, whatever the others gave."""
    if processes()[1] == 1:
        return number
    given = torch.tensor(number, dtype=torch.float64)
    dist.broadcast(given, src=0)
    return given.item()
