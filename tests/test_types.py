"""The checks at the door: where they look at values, and where they must not."""

import pytest
import torch

from flowlib.paths import LinearPath
from flowlib.types import assume_valid, check_finite, holds

NAN = torch.tensor([1.0, torch.nan])


def test_a_fault_of_the_device_is_no_passed_check(monkeypatch):
    def fault(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.Tensor, "all", fault)
    with pytest.raises(RuntimeError, match="CUDA error"):
        check_finite(x=torch.ones(2))


@pytest.mark.parametrize(
    "under",
    [
        torch.func.vmap,
        lambda f: torch.func.vmap(torch.func.grad(f)),
        lambda f: lambda x: torch.func.vmap(torch.func.jvp, (None, 0, 0))(f, (x,), (x,))[0],
        torch.func.jacrev,
        torch.func.hessian,
    ],
    ids=["vmap", "vmap of grad", "vmap of jvp", "jacrev", "hessian"],
)
def test_values_that_vmap_hides_pass_and_those_that_it_shows_do_not(under):
    def checked(x):
        check_finite(x=x)
        return x.square().sum()

    assert under(checked)(torch.ones(3)).isfinite().all()

    def shown(x):
        check_finite(x=NAN)
        return checked(x)

    with pytest.raises(ValueError, match="finite"):
        under(shown)(torch.ones(3))


def test_a_path_is_differentiated_under_vmap():
    x_0, x_1 = torch.zeros(5, 1), torch.ones(5, 1)
    speed = torch.func.vmap(torch.func.grad(lambda t, a, b: LinearPath().sample(a, b, t[None])[0].sum()))
    assert torch.equal(speed(torch.full((5,), 0.3), x_0[:, None], x_1[:, None]), torch.ones(5))


def test_where_values_are_assumed_to_be_valid_only_shapes_and_dtypes_are_looked_at():
    for wrong in (torch.nan, 25.0):
        t = torch.tensor([0.5, wrong])
        with assume_valid():
            LinearPath().sample(torch.ones(2, 3), torch.ones(2, 3), t)
            with pytest.raises(ValueError, match="one shape"):
                LinearPath().sample(torch.ones(2, 3), torch.ones(2, 4), t)
            with pytest.raises(ValueError, match="needs floats"):
                check_finite(x=torch.ones(2, dtype=torch.int64))
        with pytest.raises(ValueError, match="t runs from 0"):
            LinearPath().sample(torch.ones(2, 3), torch.ones(2, 3), t)


def test_the_assumption_ends_with_its_block_even_where_that_fails():
    with pytest.raises(KeyError), assume_valid():
        raise KeyError
    assert not holds(NAN.isfinite())
    with pytest.raises(ValueError, match="finite"):
        check_finite(x=NAN)
