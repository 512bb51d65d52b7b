"""What the tests of several lessons share."""

import pytest
import torch


@pytest.fixture
def noise():
    """The noise `(1, 1, 16, 16)` of a seed."""
    return lambda seed: torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(seed))
