"""What a person should know of a model: what it was tested on, and its false alarms."""

from collections.abc import Mapping, Sequence
from typing import Any

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
        ``calibrations``: ``fpr``, ``num_images``, ``expected_fpr_std`` and ``domain`` of each,
        ``None`` where it does not say. A checkpoint that was not published has an empty card: no
        words, no sets.
    """
    training = card.get('training')
    sets = training.get('sets') if isinstance(training, Mapping) else None
    return dict(
        {key: card[key][:LONGEST] for key in WORDS if isinstance(card.get(key), str)},
        trained_on=[each for each in _listed(sets) if isinstance(each, str)],
        tested_on=_tests(card.get('metrics')),
        calibrations=[
            dict(
                fpr=each['fpr'],
                num_images=_number(each.get('num_images')),
                expected_fpr_std=_number(each.get('expected_fpr_std')),
                domain=each['domain'][:LONGEST] if each.get('domain') else None,
            )
            for each in calibrations
        ],
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
        entry = dict(name=name, domain=domain, images=_number(row.get('images')))
        found.setdefault((domain, name), entry).update(known)
    return list(found.values())


def _listed(values: object) -> Sequence[Any]:
    return values[:LISTED] if isinstance(values, (list, tuple)) else ()


def _number(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # `inf` and `nan` are no JSON.
    return value if is_number and abs(value) < float('inf') else None  # type: ignore[return-value, arg-type]
