"""The forward pass of Emotion2Vec+ over packed clips.

Clips of any lengths go through the network as one sequence of rows, without padding. A row is one frame,
320 samples. Before the frames of each clip lie `lead` rows that belong to it:

    row      0 ... lead-1 | lead ... lead+n0-1 | ... lead+n0+lead-1 | ...
    holds    (clip 0)       frames of clip 0     (clip 1)             frames of clip 1

While the positional convolutions run, these rows are zero, as if each clip were alone and padded; before
the transformer its extra tokens are written there. Everything else works row by row, or on the rows of
one clip, so that no clip can see another.

The network is data2vec 2.0's audio encoder (Baevski et al. 2022, https://arxiv.org/abs/2212.07525) as
emotion2vec (Ma et al. 2023, https://arxiv.org/abs/2312.15185) uses it.

On CUDA this plain path was never run on a real card; nothing is compiled there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (what everybody calls it)
from torch import Tensor

from emostore.engine.architecture import AUDIO, Architecture
from emostore.engine.checkpoint_config import FRAME_SAMPLES
from emostore.engine.kernels import LOG2_E, Linear, attend_blockwise

EPS = 1e-5  # of the layer norms outside the transformer blocks
# Rows that go through the convolutions at once. Their first layers are 64 and 32 times as long as a row and
# 512 wide: in small blocks they stay in a processor's cache; a graphics card wants large ones.
FRONT_END_ROWS = {"cpu": 64, "cuda": 4096}
# Rows of a positional convolution that make one image of a batch: with one long row, oneDNN needs up to five
# times as long at some lengths.
POSITION_ROWS = 64


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where a clip lies: `frames` rows from `start` on, the extra tokens just before them."""

    start: int
    frames: int


class Network:
    """Weights on their device and in their precision, and the way through them.

    In a 16-bit precision, matrix products and what goes into them are in it. What a block adds to, its norms
    and the first convolution, which sees the waveform, are float32, and so are sums within a product.
    """

    def __init__(
        self, architecture: Architecture, tensors: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.architecture, self.device, self.dtype = architecture, device, dtype
        self._lead = max(architecture.extra_tokens, architecture.positional_kernel // 2)
        self._extra_tokens = tensors[AUDIO + "extra_tokens"][0].to(device, torch.float32)
        self._vectors = {name: each.to(device, torch.float32) for name, each in tensors.items() if each.dim() == 1}
        self._linears = {
            part: Linear(each, self._vectors[f"{part}.bias"], device, dtype, gelu=part.endswith(".fc1"))
            for part, each in ((name.removesuffix(".weight"), each) for name, each in tensors.items())
            if each.dim() == 2
        }
        self._kernels: list[tuple[Tensor, Tensor]] = []  # (dim, dim of a group, 1, kernel) and bias of each position
        for i in range(len(architecture.conv_layers)):
            # (channels, width, kernel) to (channels, kernel · width), as the windows below lie in memory
            name = f"{AUDIO}local_encoder.conv_layers.{i}.0"
            weight = tensors[f"{name}.weight"].transpose(1, 2).flatten(1)
            self._linears[name] = Linear(weight, None, device, dtype if i else torch.float32)
        for i in range(architecture.positional_layers):
            name = f"{AUDIO}relative_positional_encoder.{i + 1}.0"
            weight = tensors[f"{name}.weight"][:, :, None].to(device, dtype, memory_format=torch.channels_last)
            self._kernels.append((weight, self._vectors[f"{name}.bias"].to(dtype)))
        scale = tensors[AUDIO + "alibi_scale"].to(device, torch.float32).view(-1).clamp_min(0)
        self._slopes = alibi_slopes(architecture.heads).to(device) * scale
        self._blockwise = device.type == "cpu" and dtype != torch.float16  # whose range is too narrow for powers
        if self._blockwise:
            self._slopes *= LOG2_E

    def count_frames(self, samples: int) -> int:
        """Frames of a waveform of so many samples."""
        return (samples - self.architecture.field) // FRAME_SAMPLES + 1

    @torch.inference_mode()
    def frames(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Features of waveforms: float32 (samples,) in, normalised if the checkpoint asks for it; float32
        (frames, dim) out, frame i around sample 320 · i."""
        arch = self.architecture
        clips, row = [], 0
        for waveform in waveforms:
            clips.append(_Rows(row + self._lead, self.count_frames(waveform.numel())))
            row = clips[-1].start + clips[-1].frames
        stream = torch.zeros((row - 1) * FRAME_SAMPLES + arch.field, device=self.device)
        gaps = torch.ones(row, dtype=torch.bool, device=self.device)
        for clip, waveform in zip(clips, waveforms, strict=True):
            used = (clip.frames - 1) * FRAME_SAMPLES + arch.field
            start = clip.start * FRAME_SAMPLES
            stream[start : start + used] = waveform[:used].to(self.device)
            gaps[clip.start : clip.start + clip.frames] = False
        x = self._front_end(stream, row)  # (rows, dim)
        x = x.float() + self._positions(x, gaps)
        for clip in clips:
            x[clip.start - arch.extra_tokens : clip.start] = self._extra_tokens
        x = self._norm(x, AUDIO + "context_encoder.norm", arch.eps)
        bias = self._alibi(max(clip.frames for clip in clips))
        for block in arch.blocks:
            x = self._block(x, block, clips, bias)
        return [x[clip.start : clip.start + clip.frames] for clip in clips]

    def _front_end(self, stream: Tensor, rows: int) -> Tensor:
        """Waveform (samples,) to local features (rows, dim), block by block: no row needs its neighbours' rows."""
        step = FRONT_END_ROWS["cuda" if self.device.type == "cuda" else "cpu"]
        parts = []
        for first in range(0, rows, step):
            last = min(first + step, rows) - 1
            x = stream[first * FRAME_SAMPLES : last * FRAME_SAMPLES + self.architecture.field, None]
            for i, (_, kernel, stride) in enumerate(self.architecture.conv_layers):
                steps, width = (len(x) - kernel) // stride + 1, x.shape[1]  # (steps, channels), channels last
                windows = x.as_strided((steps, kernel * width), (stride * width, 1))  # `kernel` successive rows in one
                x = self._linear(windows, f"{AUDIO}local_encoder.conv_layers.{i}.0")
                x = F.gelu(self._norm(x, f"{AUDIO}local_encoder.conv_layers.{i}.2.1", EPS)).to(self.dtype)
            parts.append(self._norm(x, AUDIO + "project_features.1", EPS))
        return self._linear(torch.cat(parts), AUDIO + "project_features.2")

    def _positions(self, x: Tensor, gaps: Tensor) -> Tensor:
        """Relative positions (rows, dim) from local features (rows, dim)."""
        arch = self.architecture
        rows, images = len(x), math.ceil(len(x) / POSITION_ROWS)
        around = arch.positional_kernel - 1
        left = arch.positional_kernel // 2  # an even kernel has one frame less on the right
        size = (images, POSITION_ROWS + around, 1, arch.dim)
        step = (POSITION_ROWS * arch.dim, arch.dim, arch.dim, 1)
        for weight, bias in self._kernels:
            x = x.masked_fill(gaps[:, None], 0)
            x = F.pad(x, (0, 0, left, images * POSITION_ROWS + around - left - rows))
            x = x.as_strided(size, step).permute(0, 3, 2, 1)  # (images, dim, 1, POSITION_ROWS + around)
            x = F.conv2d(x.contiguous(memory_format=torch.channels_last), weight, bias, groups=arch.positional_groups)
            x = x.permute(0, 3, 2, 1).reshape(-1, arch.dim)[:rows]
            x = F.gelu(F.layer_norm(x, (arch.dim,), eps=EPS))
        return x

    def _alibi(self, frames: int) -> Tensor:
        """What is added to attention scores: (heads, tokens, tokens), the extra tokens first, with zeros.

        In powers of two where `attend_blockwise` is what adds it.
        """
        extra = self.architecture.extra_tokens
        place = torch.arange(frames, device=self.device, dtype=torch.float32)
        distance = (place[:, None] - place).abs()
        bias = torch.zeros(len(self._slopes), extra + frames, extra + frames, device=self.device, dtype=self.dtype)
        for head, slope in enumerate(self._slopes):
            bias[head, extra:, extra:] = distance * -slope
        return bias

    def _block(self, x: Tensor, name: str, clips: Sequence[_Rows], bias: Tensor) -> Tensor:
        """A transformer block with its norms behind: (rows, dim) to (rows, dim)."""
        eps = self.architecture.eps
        attended = self._attend(self._linear(x, f"{name}.attn.qkv"), clips, bias)
        x = self._norm(x + self._linear(attended, f"{name}.attn.proj"), f"{name}.norm1", eps)
        inner = self._linear(x, f"{name}.mlp.fc1")  # (rows, hidden)
        return self._norm(x + self._linear(inner, f"{name}.mlp.fc2"), f"{name}.norm2", eps)

    def _attend(self, qkv: Tensor, clips: Sequence[_Rows], bias: Tensor) -> Tensor:
        """Self-attention within each clip: (rows, 3 · dim) to (rows, dim)."""
        arch = self.architecture
        qkv = qkv.view(len(qkv), 3, arch.heads, -1)
        result = qkv.new_zeros(qkv.shape[0], *qkv.shape[2:])  # (rows, heads, dim of a head)
        for clip in clips:
            rows = slice(clip.start - arch.extra_tokens, clip.start + clip.frames)
            query, key, value = qkv[rows].permute(1, 2, 0, 3)  # each (heads, tokens, dim of a head)
            mask = bias[:, : query.shape[1], : query.shape[1]]
            if self._blockwise:
                attended = attend_blockwise(query, key, value, mask)
            else:
                attended = F.scaled_dot_product_attention(query[None], key[None], value[None], attn_mask=mask)[0]
            result[rows] = attended.transpose(0, 1)
        return result.flatten(1)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return self._linears[name](x)

    def _norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        if x.is_cuda:  # where both have to be of one type
            x = x.float()
        return F.layer_norm(x, (x.shape[-1],), self._vectors[f"{name}.weight"], self._vectors[f"{name}.bias"], eps)


def alibi_slopes(heads: int) -> Tensor:
    """The slope of each head: float32 (heads,), halving from head to head in powers of two (Press et al. 2021,
    https://arxiv.org/abs/2108.12409); a number of heads between two powers takes every other slope of the larger."""
    if heads & (heads - 1) == 0:
        return torch.tensor([2.0 ** (-8 * (i + 1) / heads) for i in range(heads)])
    lower = 1 << (heads.bit_length() - 1)
    return torch.cat([alibi_slopes(lower), alibi_slopes(2 * lower)[::2][: heads - lower]])
