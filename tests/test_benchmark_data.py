"""The ways that ``tools/analysis_tools/benchmark_data.py`` compares make the same samples."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmomni.jpeg import read_luma


@pytest.fixture(scope='module')
def benchmark(load_tool):
    return load_tool('analysis_tools/benchmark_data.py')


@pytest.fixture
def image(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (65, 65, 3), np.uint8)
    pixels = Image.fromarray(noise).resize((520, 530))
    pixels.save(tmp_path / 'a.jpg', quality=90)
    return str(tmp_path / 'a.jpg')


@pytest.fixture
def jpegio(monkeypatch):
    """Stands in for the optional reader, with its names."""

    def read(path):
        luma = read_luma(Path(path).read_bytes())
        return SimpleNamespace(
            coef_arrays=[luma.coefficients.astype(np.int32)],
            quant_tables=[luma.table.astype(np.int32)],
            comp_info=[SimpleNamespace(quant_tbl_no=0)],
        )

    monkeypatch.setitem(sys.modules, 'jpegio', SimpleNamespace(read=read))


def test_a_pass_times_every_stage_and_repeats_itself(benchmark, image):
    steps = benchmark.pipeline('ours')
    times, samples = benchmark.one_pass(steps, [image], draws=2)
    assert np.shape(times) == (2, len(benchmark.STAGES) + 1)
    assert np.min(times) > 0
    assert samples == benchmark.one_pass(steps, [image], draws=2)[1]
    assert samples[0] != samples[1]


def test_the_peers_way_makes_our_samples(benchmark, image, jpegio, monkeypatch):
    made = []
    for way in ('ours', 'peers'):
        with monkeypatch.context() as patched:
            patched.setattr('mmomni.datasets.transforms.formatting.check', lambda *_: None)
            made.append(benchmark.one_pass(benchmark.pipeline(way), [image], draws=3)[1])
    assert made[0] == made[1]


def test_report(benchmark, capsys):
    seconds = np.full((3, 2, 6), 0.001)
    seconds[0] = 1.0  # a disturbed pass
    benchmark.report(dict(ours=seconds, peers=2 * seconds))
    printed = capsys.readouterr().out
    assert 'all                 5.00     10.00' in printed
    assert 'ours: 200.0 images a second and core' in printed
    assert 'peers / ours: 2.00 (single passes: 2.00 to 2.00, median 2.00)' in printed
