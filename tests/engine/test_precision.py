from __future__ import annotations

from pathlib import Path

import pytest
import torch

from emostore.config import Precision
from emostore.engine.precision import choose, has_bfloat16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def cpuinfo(path: Path, flags: str) -> Path:
    (path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: x\nflags\t\t: {flags}\nbugs\t\t: avx512_bf16\n")
    return path / "cpuinfo"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512f", torch.float32), ("fpu avx512_bf16", torch.bfloat16), ("amx_tile amx_bf16", torch.bfloat16)],
)
def test_a_processor_gets_what_it_multiplies_itself(tmp_path: Path, flags: str, expected: torch.dtype) -> None:
    assert choose("auto", CPU, cpuinfo(tmp_path, flags)) == expected


def test_a_system_that_does_not_tell_gets_float32(tmp_path: Path) -> None:
    assert not has_bfloat16(tmp_path / "none")
    assert choose("auto", CPU, tmp_path / "none") == torch.float32


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_card_gets_bfloat16_where_it_has_it(
    monkeypatch: pytest.MonkeyPatch, supported: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    assert choose("auto", CUDA) == expected


@pytest.mark.parametrize("wanted", ["float32", "bfloat16", "float16"])
def test_what_is_wanted_is_taken(wanted: Precision) -> None:
    assert choose(wanted, CPU) == choose(wanted, CUDA) == getattr(torch, wanted)
