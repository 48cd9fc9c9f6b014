"""Without torch and OpenMMLab all that examines works, in a process for which there are none."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mmomni

PACKAGE = Path(mmomni.__file__).parent
HEAVY = ('torch', 'mmengine', 'mmcv', 'mmseg', 'mmdet')
PARTS = (
    'apis', 'cli', 'evidence', 'inspection', 'jpeg', 'reporting', 'synthesis', 'visualization',
    'web',
)  # fmt: skip
NEED_TORCH = {
    'finetuning', 'inferencer', 'onnx_export', 'onnx_layers', 'shared_context', 'torch_network',
}  # fmt: skip
"""Of ``apis``."""
MODULES = [
    '.'.join(('mmomni', *path.relative_to(PACKAGE).with_suffix('').parts)).removesuffix('.__init__')
    for part in PARTS
    for path in sorted((PACKAGE / part).rglob('*.py'))
    if path.stem != '__main__' and not (part == 'apis' and NEED_TORCH & {path.stem, *path.parts})
]
# `None` makes an import fail as if the package were not installed.
WITHOUT = f'import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n'
WITHOUT += f'sys.modules.update(dict.fromkeys({HEAVY!r}))\n'
STUB = """
import numpy as np
from contextlib import nullcontext
from types import SimpleNamespace
from mmomni.apis import onnx_network
from mmomni.apis.network import Output

class Stub:
    '''Calls bright pixels tampered.'''

    precision, on_cpu = 'fp32', True
    description = {}, (dict(threshold=0.4, pooling='max', fpr=0.05),), dict(name='stub')

    def __init__(self, path, device=None):
        pass

    def __call__(self, planes):
        return Output((planes[:, 0] - np.float32(128)) / 16, np.zeros(len(planes), np.float32))

    def sharing(self):
        none = SimpleNamespace(shares=False, complete=False, begin=id, end_pass=lambda: None)
        return nullcontext(none)

onnx_network.OnnxNetwork = Stub
"""
RUN = """
from mmomni.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run(code, *arguments, folder):
    command = [sys.executable, '-c', WITHOUT + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'stub.onnx').touch()
    for name, size in (('a.jpg', (48, 64)), ('b.png', (1500, 1800))):
        pixels = np.zeros((*size, 3), np.uint8)
        pixels[8:24, 8:40] = 255
        Image.fromarray(pixels).save(tmp_path / 'photos' / name)
    return tmp_path


def test_every_module_can_be_imported(tmp_path):
    assert len(MODULES) > 120
    code = f'import importlib\nfor name in {MODULES}: importlib.import_module(name)'
    done = run(code, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, '')


def test_predict_ends_in_a_report(folder):
    options = ('predict', 'photos', '--checkpoint', 'stub.onnx', '--out', 'out', '--fpr', 0.05)
    done = run(STUB + RUN, *options, '--views', 'ela', folder=folder)
    assert done.returncode == 0, done.stderr
    assert '2 images predicted' in done.stdout
    assert 'stub' in (folder / 'out/report.html').read_text()
    lines = [json.loads(x) for x in (folder / 'out/predictions.jsonl').read_text().splitlines()]
    assert [line['windows'] for line in lines] == [1, 2]
    for line in lines:
        assert (line['verdict'], line['num_regions']) == ('tampered', 1)
        assert line['regions'][0]['area'] == pytest.approx(16 * 32, abs=64)


def test_calibrate_needs_no_config(folder):
    options = ('calibrate', 'photos', '--checkpoint', 'stub.onnx', '--fpr', 0.5)
    done = run(STUB + RUN, *options, folder=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / 'stub.onnx.calibration.json').read_text())
    assert (found['config'], found['checkpoint']) == (None, 'stub.onnx')


def test_the_page_examines(folder):
    code = """
from pathlib import Path
from mmomni.cli import parse_args, serve
examine = serve.open_examiner(parse_args(['serve', '--checkpoint', 'stub.onnx']))
answer = examine(Path('photos/a.jpg').read_bytes(), 'a.jpg')
print(answer['num_regions'], sorted(answer['files'])[:2])
"""
    done = run(STUB + code, folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('1 [')


@pytest.mark.parametrize('option', [('--checkpoint', 'a.pth'), ('--backend', 'torch')])
def test_what_needs_torch_is_told_with_its_command(folder, option):
    (folder / 'a.pth').write_bytes(b'PK\x03\x04')
    done = run(RUN, 'predict', 'photos', *option, folder=folder)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if 'package is taken' not in line]
    assert line.startswith('mmomni predict: this needs torch and OpenMMLab, of which torch, ')
    assert "pip install 'mmomni[train]'" in line


def test_the_command_loads_nothing_that_it_does_not_need(folder):
    """Whatever is installed."""
    code = f'import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n' + STUB
    code += """
from mmomni.cli import main
status = main(sys.argv[1:])
heavy = {'torch', 'mmengine', 'mmcv', 'matplotlib', 'scipy', 'skimage', 'onnxruntime', 'werkzeug'}
print('loaded:', sorted(heavy & {name.partition('.')[0] for name in sys.modules}))
sys.exit(status)
"""
    options = ('predict', 'photos', '--checkpoint', 'stub.onnx')
    done = subprocess.run(
        [sys.executable, '-c', code, *options], capture_output=True, text=True, check=False,
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'loaded: []'
