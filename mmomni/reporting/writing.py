from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mmomni.apis.inputs import Source
from mmomni.apis.results import Failure, Prediction
from mmomni.utils.files import file_sha256

from .folder import PredictionFolder
from .image_files import ImageFile, assign_names
from .record import FileState, file_state

Predict = Callable[[Sequence[Source]], Iterable[Prediction | Failure]]
LISTED_PICTURES = 3
"""So many bad pictures of a file are named with their reasons; ``failures.jsonl`` has all."""


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


def write_predictions(
    folder: PredictionFolder,
    files: Sequence[ImageFile],
    predict: Predict,
    progress: Callable[[int, int], None],
) -> Summary:
    """Predict the files that the folder does not hold yet and write their results into it.

    ``predict`` gives one result for each source, in order, when it is asked for the next;
    ``progress`` is called with (files done, all files).
    """
    pending = [file for file in files if not folder.is_done(file)]
    taken = {Path(key): record['name'] for key, record in folder.records.items()}
    names = assign_names(pending, taken)
    folder.begin(pending, files)
    done = len(files) - len(pending)
    progress(done, len(files))
    failures = []
    for number, (file, outcome) in enumerate(_results(pending, predict), done + 1):
        if isinstance(outcome, str):
            folder.add_failure(file, outcome)
            failures.append((file, outcome))
        else:
            folder.add(file, names[file.key], *outcome)
        progress(number, len(files))
    return Summary(len(pending) - len(failures), done, _by_file(failures))


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


_Predicted = tuple[FileState, str, Prediction]


def _results(
    files: Sequence[ImageFile], predict: Predict
) -> Iterator[tuple[ImageFile, _Predicted | str]]:
    """State, SHA-256 and prediction of each file, or why there is none."""
    states = {}
    for file in files:
        try:
            states[file] = file_state(file.path)
        except OSError as error:
            yield file, str(error)
    results = predict([file.source for file in states]) if states else ()
    for (file, state), result in zip(states.items(), results, strict=True):
        yield file, _outcome(file.path, state, result)


def _outcome(path: Path, state: FileState, result: Prediction | Failure) -> _Predicted | str:
    if isinstance(result, Failure):
        return result.reason
    try:
        digest = _sha256(path, state)
        if file_state(path) == state:
            return state, digest, result
    except OSError as error:
        return str(error)
    return f'{path}: changed while it was read; run again'


@lru_cache(maxsize=1)
def _sha256(path: Path, state: FileState) -> str:  # noqa: ARG001  (another state is another file)
    """Once for all pictures of a file, which come one after the other."""
    return file_sha256(path)
