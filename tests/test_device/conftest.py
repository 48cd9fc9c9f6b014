import fake_cuda
import pytest
import torch
from device_contract import SIZE

from mmomni.models.backbones import ConvNeXt


@pytest.fixture(scope='module')
def cuda():
    """The device that is not there."""
    if not fake_cuda.RUNS:
        pytest.skip(fake_cuda.REASON)
    return fake_cuda.FakeCuda()


@pytest.fixture(scope='module')
def shallow():
    """One block for each stage of ConvNeXt: the others are alike."""
    with pytest.MonkeyPatch.context() as patch:
        archs = {k: ((1, 1, 1, 1), widths) for k, (_, widths) in ConvNeXt.ARCHITECTURES.items()}
        patch.setattr(ConvNeXt, 'ARCHITECTURES', archs)
        yield


@pytest.fixture
def data(make_sample):
    """A batch, made anew by each call; within the device's context, of fake tensors."""

    def make(number=2):
        mask = torch.zeros(SIZE, SIZE)
        return dict(
            inputs=[torch.zeros(5, SIZE, SIZE, dtype=torch.uint8) for _ in range(number)],
            data_samples=[make_sample(mask, [[16, 8, 48, 40]]) for _ in range(number)],
        )

    return make
