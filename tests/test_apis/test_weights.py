"""Which weights are meant, whether or not torch is there."""

import warnings

import pytest

from mmomni.apis import open_predictor, weights
from mmomni.apis.weights import chosen_weights, packaged
from mmomni.utils import needed
from mmomni.utils.files import file_sha256


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that holds weights in both forms, the second made of the first."""
    folder = tmp_path / 'package'
    folder.mkdir()
    checkpoint, exported = folder / 'net-01234567.safetensors', folder / 'net-89abcdef.onnx'
    checkpoint.write_bytes(bytes(8) + b'{}')
    exported.write_bytes(b'graph ' + file_sha256(checkpoint).encode())
    monkeypatch.setattr(weights, 'PACKAGED', folder)
    return checkpoint, exported


@pytest.fixture
def without_torch(monkeypatch):
    for module in (needed, weights):
        monkeypatch.setattr(module, 'missing', lambda *_: ('torch', 'mmcv', 'mmengine', 'mmseg'))


@pytest.mark.host
def test_none_named_are_those_of_the_package(package):
    path, backend, note = chosen_weights()
    assert (path, backend) == (package[0], 'torch')
    assert note == 'no checkpoint was named: net-01234567.safetensors of the package is taken'
    assert chosen_weights(backend='onnx')[:2] == (package[1], 'onnx')


@pytest.mark.usefixtures('without_torch')
def test_none_named_without_torch(package):
    assert chosen_weights()[:2] == (package[1], 'onnx')
    package[1].unlink()
    with pytest.raises(FileNotFoundError, match=r'of the package, .*\*\.onnx, found none; name a'):
        chosen_weights()


def test_the_package_holds_weights_for_torch():
    assert packaged('.safetensors').is_file()


@pytest.mark.parametrize(
    ('name', 'backend'),
    [
        ('a.onnx', 'onnx'),
        pytest.param('a.safetensors', 'torch', marks=pytest.mark.host),
        pytest.param('a.pth', 'torch', marks=pytest.mark.host),
    ],
)
def test_the_ending_decides(tmp_path, name, backend):
    path = tmp_path / name
    path.touch()
    assert chosen_weights(path) == chosen_weights(str(path), backend) == (path, backend, '')


@pytest.mark.usefixtures('without_torch')
def test_without_torch_the_exported_form_beside_is_taken(package):
    checkpoint, exported = package
    path, backend, note = chosen_weights(checkpoint)
    assert (path, backend) == (exported, 'onnx')
    assert note == (
        'torch is not installed: net-89abcdef.onnx is taken, which was made of '
        'net-01234567.safetensors'
    )


@pytest.mark.usefixtures('without_torch')
@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors', 'photo.jpg'])
@pytest.mark.parametrize('content', [b'', b'hi', bytes(range(200, 250))])
def test_what_is_no_checkpoint_sends_nobody_to_install_torch(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'{name}: expected a checkpoint .*, it is none'):
        chosen_weights(path)


@pytest.mark.usefixtures('without_torch')
@pytest.mark.parametrize(
    ('name', 'content'),
    [('a.pth', b'PK\x03\x04'), ('a.pth', b'\x80\x02'), ('a.safetensors', bytes(8) + b'{}')],
)
def test_a_checkpoint_without_another_form_needs_torch(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModuleNotFoundError, match='torch'):
        chosen_weights(path)


def test_the_exported_form_can_be_asked_for(package):
    assert chosen_weights(package[0], 'onnx').path == package[1]
    package[1].write_bytes(b'')
    with pytest.raises(ValueError, match=r"an \.onnx file for backend 'onnx', or one beside"):
        chosen_weights(package[0], 'onnx')


@pytest.mark.usefixtures('without_torch')
def test_an_exported_form_of_other_weights_is_not_taken(package):
    package[1].write_bytes(b'graph ' + b'0' * 64)
    with pytest.raises(ModuleNotFoundError, match=r'torch, mmcv, .* not installed: pip install'):
        chosen_weights(package[0])


def test_a_name_of_the_package_that_lies_elsewhere(package, tmp_path):
    message = r'found no file .*; the package holds one of that name, .*package/net-01234567'
    with pytest.raises(FileNotFoundError, match=message):
        chosen_weights(tmp_path / 'elsewhere' / package[0].name)
    with pytest.raises(FileNotFoundError) as caught:
        chosen_weights(tmp_path / 'other.safetensors')
    assert 'the package' not in str(caught.value)


def test_what_does_not_go_together(package):
    with pytest.raises(ValueError, match=r"run by backend 'onnx', not by 'torch'"):
        chosen_weights(package[1], 'torch')
    with pytest.raises(ValueError, match="expected backend 'auto', 'torch' or 'onnx', got 'jax'"):
        chosen_weights(package[1], 'jax')
    with pytest.raises(ValueError, match=r'no config beside an \.onnx file'):
        open_predictor(package[1], config='a.py')


@pytest.mark.host
def test_a_program_is_warned_of_weights_that_it_has_not_named(package):
    with (
        pytest.warns(UserWarning, match=r'net-01234567\.safetensors of the package'),
        pytest.raises(ValueError, match='no safetensors file'),
    ):
        open_predictor()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(ValueError, match='no safetensors file'):
            open_predictor(package[0])
