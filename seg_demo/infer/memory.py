"""Running out of memory, which torch tells in several ways."""

from __future__ import annotations

import sys

import torch

TOLD = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")  # the last by cuBLAS and cuDNN


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on a GPU or not."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in TOLD)


def most_memory(device: torch.device) -> int:
    """The most bytes that this process has used so far, on the GPU where it computes there; 0 where nobody can tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:  # Linux counts what started this process into what getrusage says.
        with open("/proc/self/status", "rb") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith(b"VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
