"""Several processes that train one model: each computes the gradients of its share of every batch.

All of them draw the same batches from the same seed, so N processes take the steps that one would. Only the process of
rank 0 validates, saves and writes. Without :func:`joined` a process is alone, and everything here does nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

_TIMEOUT = timedelta(hours=24)
"""For machines that vanish, and for processes that wait while rank 0 measures; a process that ends is noticed at
once, by its connections."""


@contextmanager
def joined() -> Iterator[int]:
    """Join the other processes of a training, and give the own rank; a good end waits for theirs.

    Where they are stands in the environment variables ``MASTER_ADDR``, ``MASTER_PORT``, ``WORLD_SIZE`` and ``RANK``, as
    the operator and ``torchrun`` set them. Gradients go through NCCL where there is CUDA, else through gloo, and
    everything else through gloo.
    """
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Who waits in a collective operation hears no signal handler of Python's: let the signal itself end it.
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    distributed.init_process_group("gloo", timeout=_TIMEOUT)
    if distributed.get_rank() == 0:
        signal.signal(signal.SIGTERM, handler)
    yield distributed.get_rank()
    # Rank 0 has done all there is to do: another one that has gone meanwhile must not undo it.
    with suppress(RuntimeError) if distributed.get_rank() == 0 else nullcontext():
        _meet()
    distributed.destroy_process_group()


def on_rank_zero(call: Callable[[], T]) -> T:
    """Return what the process of rank 0 gets by the call, in every process; the others wait for it."""
    if not distributed.is_initialized():
        return call()
    result = [call() if distributed.get_rank() == 0 else None]
    distributed.broadcast_object_list(result, src=0)
    return result[0]  # type: ignore[return-value]


def zero_first(call: Callable[[], T]) -> T:
    """Return what the call gives, in every process; that of rank 0 makes it first, and the others find what it left."""
    if rank() == 0:
        result = call()
        _meet()
    else:
        _meet()
        result = call()
    _meet()  # so that nothing is taken away from one that still reads
    return result


def _meet() -> None:
    """Wait for all others."""
    on_rank_zero(lambda: None)


def rank() -> int:
    """Return the rank of this process, 0 where it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(batch: Sequence[T]) -> Sequence[T]:
    """Return the part of a batch that this process computes."""
    return batch[rank() :: size()]


def averaging(model: Any) -> Any:
    """Return the model so wrapped that its gradients are the mean over all processes, from the weights of rank 0."""
    if size() == 1:
        return model
    # The group of joined() serves on CPUs: making another one would wait for a process that has ended.
    cuda = next(model.parameters()).device.type == "cuda"
    return DistributedDataParallel(model, process_group=distributed.new_group(backend="nccl") if cuda else None)
