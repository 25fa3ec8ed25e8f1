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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (what everybody calls it)
from torch import Tensor

from emostore.engine.architecture import AUDIO, Architecture
from emostore.engine.checkpoint_config import FRAME_SAMPLES

EPS = 1e-5  # of the layer norms outside the transformer blocks
# Rows that go through the convolutions at once. Their first layers are 64 and 32 times as long as a row and
# 512 wide: in small blocks they stay in a processor's cache; a graphics card wants large ones.
FRONT_END_ROWS = {"cpu": 64, "cuda": 4096}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where a clip lies: `frames` rows from `start` on, the extra tokens just before them."""

    start: int
    frames: int


class Network:
    """Weights on their device and in their precision, and the way through them.

    In a 16-bit precision, matrix products and what lies between them are in it; the first convolution,
    which sees the waveform, stays in float32, and sums within a product or a norm are float32 anyway.
    """

    def __init__(
        self, architecture: Architecture, tensors: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.architecture, self.device, self.dtype = architecture, device, dtype
        self._lead = max(architecture.extra_tokens, architecture.positional_kernel // 2)
        first = f"{AUDIO}local_encoder.conv_layers.0."
        self._tensors = {
            name: tensor.to(device, torch.float32 if name.startswith(first) else dtype)
            for name, tensor in tensors.items()
        }
        self._kernels = [
            # (channels, width, kernel) to (channels, kernel · width), as the windows below lie in memory
            self._tensors[f"{AUDIO}local_encoder.conv_layers.{i}.0.weight"].transpose(1, 2).flatten(1).contiguous()
            for i in range(len(architecture.conv_layers))
        ]
        scale = tensors[AUDIO + "alibi_scale"].to(device, torch.float32).view(-1).clamp_min(0)
        self._slopes = alibi_slopes(architecture.heads).to(device) * scale

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
        x = x + self._positions(x, gaps)
        for clip in clips:
            x[clip.start - arch.extra_tokens : clip.start] = self._tensors[AUDIO + "extra_tokens"][0]
        x = self._norm(x, AUDIO + "context_encoder.norm", arch.eps)
        bias = self._alibi(max(clip.frames for clip in clips))
        for block in arch.blocks:
            x = self._block(x, block, clips, bias)
        return [x[clip.start : clip.start + clip.frames].float() for clip in clips]

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
                x = F.linear(windows, self._kernels[i])
                x = F.gelu(self._norm(x, f"{AUDIO}local_encoder.conv_layers.{i}.2.1", EPS)).to(self.dtype)
            parts.append(self._norm(x, AUDIO + "project_features.1", EPS))
        return self._linear(torch.cat(parts), AUDIO + "project_features.2")

    def _positions(self, x: Tensor, gaps: Tensor) -> Tensor:
        """Relative positions (rows, dim) from local features (rows, dim)."""
        arch = self.architecture
        left = arch.positional_kernel // 2
        right = arch.positional_kernel - 1 - left  # an even kernel has one frame less on the right
        for i in range(arch.positional_layers):
            name = f"{AUDIO}relative_positional_encoder.{i + 1}.0"
            x = F.pad(x.masked_fill(gaps[:, None], 0).T, (left, right))  # (dim, left + rows + right)
            x = F.conv1d(
                x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"], groups=arch.positional_groups
            )
            x = F.gelu(F.layer_norm(x.T, (arch.dim,), eps=EPS))
        return x

    def _alibi(self, frames: int) -> Tensor:
        """What is added to attention scores: (heads, tokens, tokens), the extra tokens first, with zeros."""
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
        inner = F.gelu(self._linear(x, f"{name}.mlp.fc1"))  # (rows, hidden)
        return self._norm(x + self._linear(inner, f"{name}.mlp.fc2"), f"{name}.norm2", eps)

    def _attend(self, qkv: Tensor, clips: Sequence[_Rows], bias: Tensor) -> Tensor:
        """Self-attention within each clip: (rows, 3 · dim) to (rows, dim)."""
        arch = self.architecture
        qkv = qkv.view(len(qkv), 3, arch.heads, -1)
        result = qkv.new_zeros(qkv.shape[0], *qkv.shape[2:])  # (rows, heads, dim of a head)
        for clip in clips:
            rows = slice(clip.start - arch.extra_tokens, clip.start + clip.frames)
            query, key, value = qkv[rows].permute(1, 2, 0, 3)  # each (heads, tokens, dim of a head)
            tokens = query.shape[1]
            own = bias[:, :tokens, :tokens]
            if self.device.type == "cpu":  # torch's fused attention takes 2.4 times as long there with a bias
                score = torch.baddbmm(own, query, key.transpose(1, 2), alpha=query.shape[2] ** -0.5)
                attended = score.softmax(-1) @ value
            else:
                attended = F.scaled_dot_product_attention(query[None], key[None], value[None], own[None])[0]
            result[rows] = attended.transpose(0, 1)
        return result.flatten(1)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        return F.layer_norm(x, (x.shape[-1],), self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"], eps)


def alibi_slopes(heads: int) -> Tensor:
    """The slope of each head: float32 (heads,), halving from head to head in powers of two (Press et al. 2021,
    https://arxiv.org/abs/2108.12409); a number of heads between two powers takes every other slope of the larger."""
    if heads & (heads - 1) == 0:
        return torch.tensor([2.0 ** (-8 * (i + 1) / heads) for i in range(heads)])
    lower = 1 << (heads.bit_length() - 1)
    return torch.cat([alibi_slopes(lower), alibi_slopes(2 * lower)[::2][: heads - lower]])
