"""Products in the form that is fastest on a processor, against torch's plain ones."""

from __future__ import annotations

import pytest
import torch

from emostore.engine.kernels import LOG2_E, MAX_SCORE, QUERIES, Linear, attend_blockwise

CPU = torch.device("cpu")


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("gelu", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02), (torch.float16, 0.004)]
)
def test_a_product_is_what_torch_makes_of_it(dtype: torch.dtype, tolerance: float, gelu: bool, biased: bool) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(70, 30), torch.randn(50, 30) / 30**0.5, torch.randn(50) if biased else None
    expected = torch.nn.functional.linear(x, weight, bias)
    found = Linear(weight, bias, CPU, dtype, gelu=gelu)(x)
    assert found.dtype == dtype
    expected = torch.nn.functional.gelu(expected) if gelu else expected
    torch.testing.assert_close(found.float(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("tokens", [1, QUERIES, QUERIES + 44])
@pytest.mark.parametrize("size", [1.0, 30.0], ids=["bounded", "too large for powers"])
def test_attention_is_the_softmax_of_biased_scores(size: float, tokens: int) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, tokens, 16)
    query *= size
    longest = query.norm(dim=2).max() * key.norm(dim=2).max() * LOG2_E / 16**0.5
    assert (longest <= MAX_SCORE) == (size == 1.0)
    place = torch.arange(tokens)
    bias = -(place[:, None] - place).abs() * torch.tensor([0.7, 0.01])[:, None, None]  # down to e^-200
    expected = (query.double() @ key.double().transpose(1, 2) / 4 + bias.double()).softmax(-1) @ value.double()
    found = attend_blockwise(query, key, value, bias * LOG2_E)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6 * size**2)
    rounded = attend_blockwise(*(each.bfloat16() for each in (query, key, value, bias * LOG2_E)))
    closeness = torch.nn.functional.cosine_similarity(rounded.double(), expected, dim=2)
    assert closeness.min() > (0.999 if size == 1.0 else 0.8)  # of a score of 200, bfloat16 keeps whole numbers
