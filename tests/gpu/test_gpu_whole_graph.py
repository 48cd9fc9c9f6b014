"""``torch.compile`` on a GPU; behind all others, because its code takes the longest to make."""

from functools import partial

import torch
from networks import DEMO, subject_of

from model_profiling.subjects import Case, graph_breaks, inference


def test_compiled_model_gives_the_same(device, record_property, monkeypatch):
    """In one graph, as docs/performance.md says of the whole prediction."""
    side = 256
    if device.type != 'cuda':  # whose code takes minutes to make
        side = 64
        monkeypatch.setattr(torch, 'compile', partial(torch.compile, backend='eager'))
    case = Case(side, 2)
    subject = subject_of(DEMO)
    subject.model.to(device)
    expected = inference(subject, case, device)()
    found = inference(subject, case._replace(form='compile'), device)()
    difference = ((found - expected).abs().max() / expected.std()).item()
    record_property('difference', difference)
    assert difference < 1e-2
    breaks = graph_breaks(subject, case, device)
    record_property('graph_breaks', breaks)
    assert breaks == 0 or device.type != 'cuda'  # a CPU's libraries are asked for their settings
