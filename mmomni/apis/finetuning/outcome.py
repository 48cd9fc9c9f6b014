"""What came of it: scores before and after, and the published file."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.runner import Runner

from mmomni.checkpoints import publish
from mmomni.checkpoints.publishing import NOT_STATED
from mmomni.utils.files import replacing
from mmomni.utils.tables import plain_table

OWN, GENERAL = 'own', 'general'
"""Domains of the config's data sets."""
SCORES = {'IoU': 'IoU', 'F1': 'F1', 'AUC': 'AUC', 'false_area': 'false area'}
COUNTS = ('tampered', 'authentic', 'unreadable')
LEAST_GAIN = 0.005
"""Of IoU on one's own, to be better: less is noise."""
SETS = {OWN: 'own', GENERAL: 'known'}
"""Their names."""
WORDS = {OWN: 'your own', GENERAL: 'what it knew'}
FILE = 'outcome.json'
TUNED = 'tuned.json'
"""Before a share of it is taken."""
RESULTS = 'results.json'
NAME = 'finetuned'

Tell = Callable[[str], None]
Scores = dict[str, dict[str, float]]
"""By domain: :data:`SCORES`, as far as they are defined, and :data:`COUNTS`."""


class Outcome(NamedTuple):
    """What a training came to.

    Attributes:
        before: Scores of the weights that it started from.
        after: Of the best ones; the same where none were better.
        iteration: Of the best.
        best: Its checkpoint.
        published: Name of the published file; empty: nothing was better.
        share: Of the tuned weights in it; the others are those that it started from.
    """

    before: Scores
    after: Scores
    iteration: int
    best: str
    published: str = ''
    share: float = 1.0

    @property
    def is_better(self) -> bool:
        """Whether it is worth a file."""
        return self.after[OWN]['IoU'] - self.before[OWN]['IoU'] >= LEAST_GAIN

    @property
    def more_false(self) -> float:
        """By how much more of authentic images is called tampered, where it is the most."""
        before, after = (
            {domain: row.get('false_area', 0.0) for domain, row in rows.items()}
            for rows in (self.before, self.after)
        )
        return max(after[domain] - before[domain] for domain in after)

    @property
    def lost(self) -> float:
        """IoU on what it knew that the training has cost; 0 where it is not known."""
        before, after = (rows[GENERAL].get('IoU', 0.0) for rows in (self.before, self.after))
        return before - after

    def write(self, out: Path, file: str = FILE) -> None:
        """Into a folder; the training in it is then over."""
        path = out / file
        with replacing(path) as unfinished:
            unfinished.write_text(json.dumps(self._asdict(), indent=2) + '\n', encoding='utf-8')


def read_outcome(out: Path, file: str = FILE) -> Outcome | None:
    """What a training that is over came to; ``None``: it is not."""
    path = out / file
    return Outcome(**json.loads(path.read_text(encoding='utf-8'))) if path.is_file() else None


def scores_of(metrics: Mapping[str, float]) -> Scores:
    """From the keys of :class:`mmomni.SelectionMetric`."""
    rows: Scores = {}
    for domain in (OWN, GENERAL):
        found = {
            name: metrics.get(f'selection/domains/{domain}/{name}', math.nan)
            for name in (*SCORES, *COUNTS)
        }
        rows[domain] = {
            name: int(x) if name in COUNTS else float(x)
            for name, x in found.items()
            if not math.isnan(x)
        }
    return rows


def standing(before: Scores, now: Scores) -> str:
    """How it was and is, in a line."""
    words = [
        f'{WORDS[part]} {before[part]["IoU"]:.3f} > {row["IoU"]:.3f}'
        for part, row in now.items()
        if 'IoU' in row
    ]
    return f'IoU of {", ".join(words)}'


def outcome_of(runner: Runner) -> Outcome:
    """From the history of a runner, the first validation of which was before the training."""
    history = _history(runner)
    own = [float(x) for x in history[f'selection/domains/{OWN}/IoU']]
    kept = float(runner.message_hub.get_info('best_score'))  # not of one that was not saved
    best = min(range(len(own)), key=lambda place: abs(own[place] - kept))
    path = Path(runner.message_hub.get_info('best_ckpt'))
    before, after = (
        scores_of({key: values[place] for key, values in history.items()}) for place in (0, best)
    )
    return Outcome(before, after, int(path.stem.rpartition('_')[2]), path.name)


def before_of(runner: Runner) -> Scores:
    """Those of the first validation, also where a run was resumed."""
    return scores_of({key: values[0] for key, values in _history(runner).items()})


def _history(runner: Runner) -> dict[str, Any]:
    """Of each score by domain, one for each validation."""
    return {
        key.removeprefix('val/'): buffer.data[0]
        for key, buffer in runner.message_hub.log_scalars.items()
        if key.startswith('val/selection/domains/')
    }


def publish_best(out: Path, outcome: Outcome, start: Path, card: Mapping[str, Any]) -> Path:
    """Publish the best checkpoint as ``finetuned-xxxxxxxx.safetensors``.

    Args:
        out: The folder of the run.
        outcome: Of it.
        start: File of the weights that it started from.
        card: Its model card, whose licence goes on.
    """
    results = out / RESULTS
    with replacing(results) as unfinished:
        text = json.dumps(_results(outcome), indent=2)
        unfinished.write_text(f'{text}\n', encoding='utf-8')
    return publish(
        out / outcome.best, out / f'{NAME}.safetensors', results=results,
        licence=card.get('licence', NOT_STATED), started_from=start,
    )  # fmt: skip


def _results(outcome: Outcome) -> dict[str, Any]:
    """In the form of ``tools/test.py``, as far as a card takes of it."""
    datasets = {domain: {SETS[domain]: row} for domain, row in outcome.after.items()}
    return dict(
        checkpoint=outcome.best, tables=[], test_input='native', selection=dict(datasets=datasets)
    )


def table_of(outcome: Outcome) -> str:
    """Each score before and after, on both parts."""
    rows: list[Sequence[str]] = [['', 'images', *SCORES.values()]]
    for domain, words in WORDS.items():
        before, after = outcome.before[domain], outcome.after[domain]
        number = sum(int(after.get(kind, 0)) for kind in ('tampered', 'authentic'))
        cells = [_cell(before, name, after) for name in SCORES]
        rows.append([words, str(number), *cells])
    return plain_table(rows, 1)


def _cell(before: Mapping[str, float], name: str, after: Mapping[str, float]) -> str:
    return f'{before[name]:.3f} > {after[name]:.3f}' if name in before and name in after else '-'
