"""No two purposes, ranks, steps or samples of a run ever draw the same random numbers."""

import ast
import itertools
import random
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmomni.utils.seeding import Stream, generator, seed_all, seed_words

PACKAGE = Path(__file__).resolve().parents[2] / 'mmomni'
NUMBERS = (0, 1, 2, 3, 7, 2**32 - 1, 2**32, 2**32 + 1, 2**40, 2**63)


def state(entropy):
    """What NumPy makes of entropy; all generators here start from it."""
    return tuple(np.random.SeedSequence(entropy).generate_state(8).tolist())


def places(longest):
    for length in range(1, longest + 1):
        yield from itertools.product(NUMBERS, repeat=length)


def test_numpy_alone_takes_different_places_for_one():
    """Why there are words: zeros at the end are filled up, large numbers cut into pieces."""
    assert state((1, 2)) == state((1, 2, 0)) == state((1, 2, 0, 0))
    assert state((2**32, 5)) == state((0, 1, 5))


def test_every_place_of_every_stream_has_a_seed_of_its_own():
    words = [seed_words(stream, *place) for stream in Stream for place in places(3)]
    assert all(0 <= word < 2**32 for each in words for word in each)
    # Less the zeros at the end, which NumPy cannot see: still all different.
    seen = {tuple(np.trim_zeros(each, 'b')) for each in words}
    assert len(seen) == len(words) == len(Stream) * sum(len(NUMBERS) ** n for n in (1, 2, 3))


def test_what_numpy_makes_of_them_differs_too():
    found = [state(seed_words(stream, *place)) for stream in Stream for place in places(2)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize('number', [0, 5, zlib.crc32(b'photo.jpg'), 2**31 - 1])
def test_a_seed_of_one_number_is_none_of_a_stream(number):
    """Such as those of the noise of robustness tests: the name of an image, in one word."""
    assert all(seed_words(stream, *place)[1] for stream in Stream for place in places(2))
    assert state(number) not in {state(seed_words(s, *p)) for s in Stream for p in places(1)}


@pytest.mark.parametrize('number', [-1, 2**64])
def test_what_does_not_fit_is_refused(number):
    with pytest.raises(ValueError, match=rf'0 to 2\*\*64 - 1 to seed by, got {number}'):
        seed_words(Stream.STEP, 0, number)


def test_a_stream_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match='99'):
        seed_words(99, 0)


def test_the_numbers_of_streams_stay():
    """They are part of every seed: another number is another run."""
    assert {s.name: s.value for s in Stream} == dict(ORDER=1, SAMPLE=2, STEP=3, TOOL=4)


def drawn():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_the_step_and_the_sample_of_equal_numbers_draw_differently():
    """Iteration 7 of a rank and its draw 7 had one seed: dropout as the crop before it."""
    from mmomni.datasets import ReproducibleSampler
    from mmomni.engine.hooks import StepSeedHook

    hook, sampler = StepSeedHook(), ReproducibleSampler(range(5), seed=3)
    of_steps, of_samples = [], []
    for number, index in zip(range(20), sampler, strict=False):
        hook.before_train_iter(SimpleNamespace(seed=3, iter=number), batch_idx=0)
        of_steps.append(drawn())
        assert index.entropy == (3, 0, number)
        seed_all(Stream.SAMPLE, *index.entropy)
        of_samples.append(drawn())
    for which in range(3):
        assert len({draw[which] for draw in of_steps + of_samples}) == 40


def test_generators_are_those_of_the_place():
    first = generator(Stream.ORDER, 3, 0).random(4).tolist()
    assert generator(Stream.ORDER, 3, 0).random(4).tolist() == first
    for other in ((Stream.ORDER, 3, 1), (Stream.SAMPLE, 3, 0), (Stream.ORDER, 3)):
        assert generator(*other).random(4).tolist() != first


# ---- who draws ---------------------------------------------------------------------------------

OWN_SEEDS = {
    'utils/seeding.py',
    'datasets/transforms/perturb.py',  # by the name of the image alone, in every run the same
    'datasets/transforms/local_sensor.py',  # a draw of the sample's own stream
    'datasets/transforms/random_paste.py',  # likewise
    'synthesis/synthesizer.py',  # makes files, apart from any run
    'apis/onnx_export.py',  # an example to trace, with a generator of its own
}
SEEDING = {'default_rng', 'SeedSequence', 'manual_seed', 'RandomState'}


def calls_of(path):
    """Names of what a file calls, and its arguments."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Call):
            yield getattr(node.func, 'attr', getattr(node.func, 'id', '')), node.args


def test_all_others_draw_from_streams():
    files = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob('*.py')}
    found = {
        name for name, path in files.items() if SEEDING & {called for called, _ in calls_of(path)}
    }
    assert found == OWN_SEEDS


def test_every_stream_is_drawn_from_in_one_place():
    used = [
        ast.unparse(args[0])
        for path in PACKAGE.rglob('*.py') if path.parts[-2:] != ('utils', 'seeding.py')
        for called, args in calls_of(path)
        if called in ('seed_all', 'generator', 'seed_words') and args
        and ast.unparse(args[0]).startswith('Stream.')
    ]  # fmt: skip
    assert sorted(used) == ['Stream.ORDER', 'Stream.SAMPLE', 'Stream.STEP', 'Stream.TOOL']
