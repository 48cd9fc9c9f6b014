"""What a person should know of a model: what it was tested on, and its false alarms."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmomni.evaluation.calibration import expected_rate
from mmomni.evaluation.published import TOTAL

from .verdict import num_images_of

WORDS = ('name', 'licence', 'date', 'mmomni_version', 'intended_use', 'limits')
SCORES = ('F1', 'IoU', 'AUC', 'false_area')
"""Of the tests, the ones that are told."""
LISTED = 100
LONGEST = 1000


def model_summary(
    card: Mapping[str, Any], calibrations: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The card and the calibrations of a published checkpoint, shortened, for JSON.

    Somebody else wrote the card: what has another form than ours is left out.

    Returns:
        Of ``WORDS`` those that the card has; ``trained_on``: names; ``tested_on``: ``name``,
        ``domain`` and ``images`` of each set and those of its ``SCORES`` that there are;
        those that are the mean of others have ``mean_of``, the names of these. ``calibrations``:
        ``fpr`` (that was asked for), ``num_images``, ``expected_fpr`` and ``expected_fpr_std`` (the
        share of false alarms to expect from so many) and ``domain`` of each, ``None`` where it does
        not say. A checkpoint that was not published has an empty card: no words, no sets.
    """
    training = card.get('training')
    sets = training.get('sets') if isinstance(training, Mapping) else None
    return dict(
        {key: card[key][:LONGEST] for key in WORDS if isinstance(card.get(key), str)},
        trained_on=[each for each in _listed(sets) if isinstance(each, str)],
        tested_on=_tests(card.get('metrics')),
        calibrations=[_alarms(each) for each in calibrations],
    )


def _alarms(calibration: Mapping[str, Any]) -> dict[str, Any]:
    images, fpr = num_images_of(calibration), calibration['fpr']
    expected = (None, None) if images is None else expected_rate(images, fpr)
    return dict(
        fpr=fpr,
        num_images=images,
        expected_fpr=expected[0],
        expected_fpr_std=expected[1],
        domain=calibration['domain'][:LONGEST] if calibration.get('domain') else None,
    )


def _tests(metrics: object) -> list[dict[str, Any]]:
    """Sets with their scores; a set that several tables name is one."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in _listed(metrics):
        if not isinstance(row, Mapping) or not isinstance(row.get('scores'), Mapping):
            continue
        name, domain = str(row.get('name'))[:LONGEST], str(row.get('domain') or '')[:LONGEST]
        scores = {key: row['scores'].get(key) for key in SCORES}
        known = {key: value for key, value in scores.items() if _number(value) is not None}
        entry: dict[str, Any] = dict(name=name, domain=domain, images=_number(row.get('images')))
        found.setdefault((domain, name), entry).update(known)
    for (domain, name), entry in found.items():
        if len(members := _averaged(domain, name, found)) > 1:
            entry['mean_of'] = members
    return list(found.values())


def _averaged(domain: str, name: str, tests: Mapping[tuple[str, str], Any]) -> list[str]:
    """Names of the tests whose mean one is, as our tables have them; empty for a set.

    That of a domain is called as it, and has the images of its sets; that of all has no domain.
    """
    if (domain, name) == ('', TOTAL):
        return [own for of, own in tests if of == own and 'IoU' in tests[of, own]]
    members = [own for of, own in tests if of == domain != own] if domain == name else []
    images = [tests[domain, own]['images'] or 0 for own in members]
    return members if sum(images) == tests[domain, name]['images'] else []


def _listed(values: object) -> Sequence[Any]:
    return values[:LISTED] if isinstance(values, (list, tuple)) else ()


def _number(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # `inf` and `nan` are no JSON.
    return value if is_number and abs(value) < float('inf') else None  # type: ignore[return-value, arg-type]
