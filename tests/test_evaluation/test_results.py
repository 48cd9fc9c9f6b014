from mmomni.evaluation.results import nest


def test_slashes_become_levels():
    flat = {'p/average/IoU': 1, 'p/domains/face/IoU': 2, 'p/domains/face/F1': 3, 'loss': 4}
    assert nest(flat) == {
        'p': {'average': {'IoU': 1}, 'domains': {'face': {'IoU': 2, 'F1': 3}}},
        'loss': 4,
    }


def test_nothing_gives_nothing():
    assert nest({}) == {}
