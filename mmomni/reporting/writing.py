from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmomni.apis.results import Failure, Prediction
from mmomni.utils.files import file_sha256

from .folder import PredictionFolder
from .image_files import ImageFile, assign_names
from .record import FileState, file_state

Predict = Callable[[Sequence[Path]], Iterable[Prediction | Failure]]


class Summary(NamedTuple):
    """What a run did.

    Attributes:
        predicted: Images predicted now.
        skipped: Images that an earlier run predicted.
        failures: Why the other files could not be predicted, by path.
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

    ``predict`` gives one result for each path, in order, when it is asked for the next;
    ``progress`` is called with (files done, all files).
    """
    pending = [file for file in files if not folder.is_done(file.path)]
    taken = {Path(path): record['name'] for path, record in folder.records.items()}
    names = assign_names(pending, taken)
    folder.begin([file.path for file in pending])
    done = len(files) - len(pending)
    progress(done, len(files))
    failures = {}
    for number, (file, outcome) in enumerate(_results(pending, predict), done + 1):
        if isinstance(outcome, str):
            folder.add_failure(file.path, outcome)
            failures[file.path] = outcome
        else:
            folder.add(file, names[file.path], *outcome)
        progress(number, len(files))
    return Summary(len(pending) - len(failures), done, failures)


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
    results = predict([file.path for file in states]) if states else ()
    for (file, state), result in zip(states.items(), results, strict=True):
        yield file, _outcome(file.path, state, result)


def _outcome(path: Path, state: FileState, result: Prediction | Failure) -> _Predicted | str:
    if isinstance(result, Failure):
        return result.reason
    try:
        digest = file_sha256(path)
        if file_state(path) == state:
            return state, digest, result
    except OSError as error:
        return str(error)
    return f'{path}: changed while it was read; run again'
