"""Running out of memory, which torch tells in several ways."""

from __future__ import annotations

import torch

TOLD = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")  # the last by cuBLAS and cuDNN


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on a GPU or not."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in TOLD)
