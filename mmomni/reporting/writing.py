import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mmomni.apis.inputs import Source
from mmomni.apis.results import Failure, Prediction
from mmomni.evidence import Section
from mmomni.utils.files import file_sha256
from mmomni.utils.templates import listed

from .changes import changed_text
from .evidence import evidence_in_file
from .folder import PredictionFolder
from .image_files import ImageFile, assign_names
from .record import FileState, file_state

Predict = Callable[[Sequence[Source]], Iterable[Prediction | Failure]]
LISTED_PICTURES = 3
"""So many bad pictures of a file are named with their reasons; ``failures.jsonl`` has all."""

logger = logging.getLogger(__name__)


class Summary(NamedTuple):
    """What a run did.

    Attributes:
        predicted: Images predicted now.
        skipped: Images that an earlier run predicted.
        failures: Why other files, or some of their pictures, could not be predicted, by path.
    """

    predicted: int
    skipped: int
    failures: dict[Path, str]


class StoppedError(KeyboardInterrupt):
    """A run was stopped by Ctrl-C.

    Attributes:
        summary: What it did.
        pending: Files of images that it did not come to.
    """

    def __init__(self, summary: Summary, pending: Sequence[Path]) -> None:
        super().__init__('stopped')
        self.summary = summary
        self.pending = pending


def write_predictions(
    folder: PredictionFolder,
    files: Sequence[ImageFile],
    predict: Predict,
    progress: Callable[[int, int, int], None],
) -> Summary:
    """Predict the files that the folder does not hold yet and write their results into it.

    ``predict`` gives one result for each source, in order, when it is asked for the next;
    ``progress`` is called with (files done, all files, those that were examined now).

    Raises:
        StoppedError: A ``KeyboardInterrupt`` came; the folder is whole.
    """
    pending = [file for file in files if not folder.is_done(file)]
    _tell_of(folder)
    taken = {Path(key): record['name'] for key, record in folder.records.items()}
    names = assign_names(pending, taken)
    folder.begin(pending, files)
    done = len(files) - len(pending)
    progress(done, len(files), 0)
    failures: list[tuple[ImageFile, str]] = []
    number = done
    try:
        for file, outcome in outcomes_of(pending, predict):
            if isinstance(outcome, str):
                reason = outcome.removeprefix(f'{file.path}: ')  # its line names the path
                folder.add_failure(file, reason)
                failures.append((file, reason))
            else:
                folder.add(file, names[file.key], *outcome)
            number += 1
            progress(number, len(files), number - done - len(failures))
    except KeyboardInterrupt as error:
        bad = {file.key for file, _ in failures}
        rest = [f for f in pending if f.key not in bad and str(f.key) not in folder.records]
        predicted = len(pending) - len(rest) - len(failures)
        summary = Summary(predicted, done, _by_file(failures))
        raise StoppedError(summary, list(dict.fromkeys(file.path for file in rest))) from error
    return Summary(len(pending) - len(failures), done, _by_file(failures))


def _tell_of(folder: PredictionFolder) -> None:
    """That images are examined again, and why."""
    if folder.changed:
        logger.warning('%s', changed_text(folder.changed))
    if spoilt := list(folder.spoilt.values()):
        several = f'{len(spoilt):,} images are' if len(spoilt) > 1 else '1 image is'
        logger.warning(
            '%s examined again, because outputs are not as they were written: %s',
            several, listed(spoilt),
        )  # fmt: skip


def _by_file(failures: Sequence[tuple[ImageFile, str]]) -> dict[Path, str]:
    """Of a file with several bad pictures, which they are and why the first of them are bad."""
    reasons: dict[Path, list[str]] = {}
    for file, reason in failures:
        why = reason if file.picture is None else f'{file.picture.name}: {reason}'
        reasons.setdefault(file.path, []).append(why)
    return {path: _listed(several) for path, several in reasons.items()}


def _listed(reasons: Sequence[str]) -> str:
    more = len(reasons) - LISTED_PICTURES
    rest = [f'{more:,} more pictures: see failures.jsonl'] if more > 0 else []
    return '; '.join([*reasons[:LISTED_PICTURES], *rest])


_Predicted = tuple[FileState, str, Prediction, list[Section]]
Outcome = _Predicted | str
"""State, SHA-256, prediction and evidence of a file, or why there is none."""


def outcomes_of(
    files: Sequence[ImageFile], predict: Predict
) -> Iterator[tuple[ImageFile, Outcome]]:
    """What became of each file; those that cannot be looked up come first.

    Otherwise it is what :meth:`Predictions.add` takes behind the name.
    """
    states = {}
    for file in files:
        try:
            states[file] = file_state(file.path)
        except OSError as error:
            yield file, str(error)
    results = predict([file.source for file in states]) if states else ()
    for (file, state), result in zip(states.items(), results, strict=True):
        yield file, _outcome(file, state, result)


def _outcome(file: ImageFile, state: FileState, result: Prediction | Failure) -> Outcome:
    if isinstance(result, Failure):
        return result.reason
    path = file.path
    try:
        digest, evidence = _sha256(path, state), evidence_in_file(file, state, result)
        if file_state(path) == state:
            return state, digest, result, evidence
    except OSError as error:
        return str(error)
    return f'{path}: changed while it was read; run again'


@lru_cache(maxsize=1)
def _sha256(path: Path, state: FileState) -> str:  # noqa: ARG001  (another state is another file)
    """Once for all pictures of a file, which come one after the other."""
    return file_sha256(path)
