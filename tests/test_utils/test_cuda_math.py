"""The flags can be set without CUDA, where they do nothing."""

import operator

import pytest
import torch

from mmomni.utils.cuda_math import EXACT, CudaMath, allow, allowed, current


@pytest.fixture(autouse=True)
def as_it_was():
    before = current()
    yield
    for flags in (torch.backends, torch.backends.cudnn):
        if hasattr(flags, 'fp32_precision'):
            flags.fp32_precision = 'none'
    allow(before)


@pytest.mark.parametrize('place', range(3))
def test_each_flag_is_torchs(place):
    settings = CudaMath(*(i == place for i in range(3)))
    allow(settings)
    assert current() == settings
    backends = torch.backends
    flags = backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.benchmark
    assert flags == settings


def test_given_back_after_an_error():
    allow(CudaMath(True, False, True))

    @allowed(EXACT)
    def fail():
        raise KeyError(current())

    with pytest.raises(KeyError, match='products=False, tf32_convolutions=False, autotune=False'):
        fail()
    assert current() == (True, False, True)


@pytest.mark.parametrize('products', [True, False])
@pytest.mark.parametrize('convolutions', [True, False])
def test_set_by_the_newer_flags(products, convolutions):
    """Then torch refuses to tell the older ones."""
    if not hasattr(torch.backends.cudnn, 'conv'):
        pytest.skip('torch before 2.9 has no newer flags')
    torch.backends.cuda.matmul.fp32_precision = 'tf32' if products else 'ieee'
    torch.backends.cudnn.conv.fp32_precision = 'tf32' if convolutions else 'ieee'
    assert current()[:2] == (products, convolutions)


@pytest.mark.parametrize('name', ['backends', 'backends.cudnn'])
def test_exact_where_a_flag_of_several_backends_allows_it(name):
    """The older flag of convolutions says nothing then."""
    flags = operator.attrgetter(name)(torch)
    if not hasattr(torch.backends.cudnn, 'conv'):
        pytest.skip('torch before 2.9 has no newer flags')
    flags.fp32_precision = 'tf32'
    before = current()
    assert before.tf32_convolutions
    with allowed(EXACT):
        assert current() == EXACT
        assert torch.backends.cudnn.conv.fp32_precision != 'tf32'
    assert current() == before


def test_a_cpu_is_left_alone():
    x = torch.rand(64, 64)
    expected, precision = x @ x, torch.backends.mkldnn
    before = getattr(getattr(precision, 'matmul', None), 'fp32_precision', None)
    with allowed(CudaMath(True, True, True)):
        assert torch.equal(x @ x, expected)
        assert getattr(getattr(precision, 'matmul', None), 'fp32_precision', None) == before
