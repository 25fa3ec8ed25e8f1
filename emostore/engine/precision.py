"""Which precision the network computes in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emostore.config import Precision
from emostore.engine.hardware import CPUINFO

if TYPE_CHECKING:
    import torch

# Instructions that multiply bfloat16; without them torch imitates it, slower than float32.
_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})


def choose(wanted: Precision, device: torch.device, cpuinfo: Path = CPUINFO) -> torch.dtype:
    """The type for `wanted`; `auto` is the fastest one of which the device has matrix products."""
    import torch

    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and has_bfloat16(cpuinfo) else torch.float32


def has_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether this processor multiplies bfloat16 itself; False where the system does not tell."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not _BFLOAT16.isdisjoint(flags.split())
