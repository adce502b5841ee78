"""In which numbers a device computes quickly."""

from __future__ import annotations

import torch


def quick_precision(device: torch.device) -> str:
    """The name "bfloat16" where the processor or the GPU computes in it, "float32" elsewhere."""
    if device.type == "cuda":
        quick = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions have none
        quick = device.type == "cpu" and capabilities.get("avx512_bf16", False)
    return "bfloat16" if quick else "float32"
