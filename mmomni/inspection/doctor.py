"""The whole examination: open sets, read every file once, check, sum up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .checks import check_record
from .duplicates import check_duplicates
from .kinds import KINDS, LEVELS
from .opening import open_sets
from .records import DataSet, Finding, Record
from .summary import SetSummary, summarize
from .survey import Progress, read_all

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`check_data` found.

    Attributes:
        sets: A row for each set, in the order given.
        findings: Errors first, in the order of the kinds, then by set and file.
    """

    sets: Sequence[SetSummary]
    findings: Sequence[Finding]

    def count(self, level: str) -> int:
        """Findings of a level."""
        return sum(finding.level == level for finding in self.findings)

    def status(self, strict: bool = False) -> int:
        """Exit status: 2 with errors (with ``strict`` also with warnings), else 0."""
        bad = self.count('error') + (self.count('warning') if strict else 0)
        return 2 if bad else 0

    def groups(self) -> dict[tuple[str, str], list[Finding]]:
        """Findings by (level, kind)."""
        groups: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault((finding.level, finding.kind), []).append(finding)
        return groups

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``report.json``."""
        counts = Counter(finding.kind for finding in self.findings)
        return {
            'levels': {level: self.count(level) for level in LEVELS},
            'kinds': {kind: counts[kind] for kind in KINDS if counts[kind]},
            'sets': [row.as_dict() for row in self.sets],
            'findings': [finding._asdict() for finding in self.findings],
        }


def check_data(
    inputs: Sequence[str],
    test_inputs: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> Diagnosis:
    """Examine data sets; no file, however broken, ends the examination.

    Args:
        inputs: Configs of mmengine, list files, or folders.
        test_inputs: List files or folders that are test sets.
        workers: Number of processes.
        progress: Called with (done, total) after every image.

    Raises:
        FileNotFoundError: An input does not exist.
        ValueError: An input is of no use.
    """
    return examine(open_sets(inputs, test_inputs), workers, progress)[0]


def examine(
    sets: Sequence[DataSet], workers: int = 1, progress: Progress | None = None
) -> tuple[Diagnosis, list[list[Record]]]:
    """What :func:`check_data` finds in sets that are opened, and the records of each."""
    samples = [sample for data_set in sets for sample in data_set.samples()]
    records = read_all(samples, workers, progress)
    findings = [finding for data_set in sets for finding in data_set.findings]
    findings += [finding for record in records for finding in check_record(record)]
    findings += check_duplicates(records)
    remaining = iter(records)
    of_sets = [list(islice(remaining, len(each.pairs))) for each in sets]
    rows = [summarize(each, own) for each, own in zip(sets, of_sets, strict=True)]
    return Diagnosis(rows, sorted(set(findings), key=_order)), of_sets


def _order(finding: Finding) -> tuple:
    return LEVELS.index(finding.level), _RANK[finding.kind], finding
