from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmomni.evaluation.results import Report


class ResultsHook(Hook):
    """Write the results of a test as soon as there are scores: before logs, before any picture.

    Registered by ``tools/test.py`` and not by a config, as the report has to be made before the
    test. A failure is kept for the end, because the other ranks already wait for this one.

    Args:
        report: Of this test.
    """

    priority = 'VERY_HIGH'

    def __init__(self, report: Report) -> None:
        self.report = report
        self.error: Exception | None = None
        """Why the results are not on the disk; the scores are in the log."""

    def demand(self) -> None:
        """Raise what kept the results from being written."""
        if self.error is not None:
            raise self.error

    def after_test_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """Write, on rank 0."""
        if runner.rank == 0:
            try:
                self.report.write(metrics or {})
            except Exception as error:  # noqa: BLE001  (whatever it is, the tool raises it)
                self.error = error
