import pytest

from mmomni.evaluation.functional import PROTOCOLS, Eps, build_protocol


def test_protocols_of_the_field():
    assert list(PROTOCOLS) == [
        'per_image', 'doctamper', 'doctamper_batch6', 'pooled', 'imdlbenco', 'imdlbenco_permuted',
        'trufor', 'catnet',
    ]  # fmt: skip
    assert all(protocol.name == name for name, protocol in PROTOCOLS.items())


def test_name_stands_for_its_protocol():
    assert build_protocol('trufor') is PROTOCOLS['trufor']


def test_own_choices_change_those_of_the_base():
    own = build_protocol(
        dict(
            base='imdlbenco', name='mine', scores=['F1', 'AP'], threshold=0.3,
            eps=dict(iou=1e-3), ignore_band=[5, 3],
        )
    )  # fmt: skip
    assert (own.name, own.scores, own.threshold) == ('mine', ('F1', 'AP'), 0.3)
    assert (own.eps, own.ignore_band) == (Eps(iou=1e-3), (5, 3))
    assert own.empty_gt == PROTOCOLS['imdlbenco'].empty_gt


def test_base_is_per_image_unless_given():
    assert build_protocol(dict(name='mine')).eps == PROTOCOLS['per_image'].eps


@pytest.mark.parametrize(
    ('protocol', 'expected'),
    [('per_image', False), ('doctamper', False), ('pooled', False), ('catnet', False),
     ('imdlbenco', True),
     ('trufor', True), (dict(name='mine', threshold=0.4), True),
     (dict(name='mine', threshold='best'), True)],
)  # fmt: skip
def test_probabilities_are_asked_for_where_a_decision_is_not_enough(protocol, expected):
    assert build_protocol(protocol).needs_probability is expected


def test_smallest_choices_are_allowed():
    own = build_protocol(dict(name='mine', base='doctamper', threshold=0, batch_size=1, bins=2))
    assert (own.threshold, own.batch_size, own.bins) == (0, 1, 2)


@pytest.mark.parametrize(
    ('choices', 'message'),
    [
        ('per_imag', "'doctamper', .*, got 'per_imag'"),
        (dict(name='mine', base='none'), "got 'none'"),
        (dict(threshold=0.3), 'name of its own'),
        (dict(name='trufor', threshold=0.3), 'name of its own'),
        (dict(name='mine', permuted=True), r"unknown choices \['permuted'\]"),
        (dict(name='mine', scores=['iou']), "scores .* got 'iou'"),
        (dict(name='mine', average='mean'), "average .* got 'mean'"),
        (dict(name='mine', empty_gt='one'), "empty_gt .* got 'one'"),
        (dict(name='mine', threshold='optimal'), "or 'best', got 'optimal'"),
        (dict(name='mine', threshold=-0.1), r"'mine': expected threshold .*\[0, 1\).* got -0.1"),
        (dict(name='mine', threshold=1), 'threshold .* got 1'),
        (dict(name='mine', threshold=float('nan')), 'threshold .* got nan'),
        (dict(name='mine', base='doctamper', batch_size=0), "'mine': .*batch_size of at least 1"),
        (dict(name='mine', bins=1), "'mine': expected bins of at least 2, got 1"),
        (dict(name='mine', eps=dict(IoU=0)), r"'mine': expected eps .*'iou'.* got \['IoU'\]"),
        (dict(name='mine', ignore_band=[4, 3]), 'two odd sides'),
        (dict(name='mine', ignore_band=[5]), 'two odd sides'),
        (dict(name='mine', average='pooled', permute=True), "need average='per_image'"),
        (dict(name='mine', average='pooled', threshold='best'), "need average='per_image'"),
        (dict(name='mine', batch_size=6), "belongs to average='doctamper'"),
    ],
)
def test_what_makes_no_protocol_is_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        build_protocol(choices)
