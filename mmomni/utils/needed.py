"""What training needs is told in one line with its command, where it is not installed.

To examine images needs neither torch nor OpenMMLab, so they are no dependencies of the package; nor
could OpenMMLab be one, because two families of packages own the same names. And what shares the
files of another package, OpenCV, is told where it is damaged.
"""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType

from .import_hooks import Execute, on_import

TRAIN = ('torch', 'matplotlib', 'prettytable', 'safetensors', 'tensorboard')
"""Of the extra `train`; the last four are not worth a word where the first is missing, too."""
HOST = (*TRAIN, 'mmcv', 'mmengine', 'mmseg')
"""In the order in which they are installed."""
TO_PREDICT = ('torch', 'safetensors', 'mmcv', 'mmengine', 'mmseg')
"""What predicting with torch takes of them."""
# With build isolation mmcv's operators would be left out without a word.
MMCV = 'pip install ninja && MMCV_WITH_OPS=1 pip install --no-build-isolation onedl-mmcv'
OPENCV = ('opencv-python-headless', 'opencv-python')


def missing(names: Sequence[str] = HOST) -> tuple[str, ...]:
    """Which of them are not installed."""
    return tuple(name for name in names if find_spec(name) is None)


def how_to_install(names: Sequence[str]) -> str:
    """One line: which of :data:`HOST` are not there, and the command for all of them."""
    commands = ["pip install 'mmomni[train]'"] if set(names) & set(TRAIN) else []
    if 'mmcv' in names:
        commands.append(MMCV)
    if {'mmengine', 'mmseg'} & set(names):
        commands.append("pip install 'mmomni[onedl]'")
    if 'torch' in names:
        names = [name for name in names if name not in TRAIN[1:]]
    verb = 'is' if len(names) == 1 else 'are'
    return (
        f'this needs torch and OpenMMLab, of which {", ".join(names)} {verb} not installed: '
        f'{" && ".join(commands)}'
    )


def what_is_missing() -> str | None:
    """:func:`how_to_install` for scripts that need all of :data:`HOST`; ``None``: nothing."""
    names = missing()
    return how_to_install(names) if names else None


def demand_host(names: Sequence[str] = HOST) -> None:
    """Raise ``ModuleNotFoundError`` with :func:`how_to_install` where one of them is missing."""
    if absent := missing(names):
        raise ModuleNotFoundError(how_to_install(absent), name=absent[0])


def demand_opencv() -> None:
    """Raise ``ImportError`` with the command where ``cv2`` is not there or lost its files.

    Two packages own its folder, for programs with and without windows. The one that is installed
    last works, of whatever versions; but to uninstall either takes the files of both.
    """
    spec = find_spec('cv2')
    if spec is None or spec.origin is None:
        raise ImportError(f'OpenCV (cv2) is not there, or lost its files: {_opencv_anew()}')


def explained(error: BaseException) -> str:
    """The words of an error, and what to do if OpenCV wants libraries of a display.

    What the system says of a file begins with the file, as our own words do.
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f'{error.filename}: {error.strerror}'
    if isinstance(error, ImportError) and 'cannot open shared object file' in str(error):
        return f'{error}; if that is a server without display: {_opencv_anew()}'
    return str(error)


def _opencv_anew() -> str:
    """Of the version that is there: a newer one could want another NumPy."""
    exact = ''
    for name in OPENCV:
        try:
            exact = exact or f'=={version(name)}'
        except PackageNotFoundError:
            continue
    return f'pip install --force-reinstall --no-deps opencv-python-headless{exact}'


def explain_missing() -> None:
    """From now on a module of ours that cannot be imported without them says so.

    Nothing is done where all are installed.
    """
    if missing():
        on_import(lambda name: name.startswith('mmomni.'), _explaining)


def _explaining(execute: Execute, module: ModuleType) -> None:
    try:
        execute(module)
    except ModuleNotFoundError as error:
        name = (error.name or '').partition('.')[0]
        if name in (names := missing()):
            raise ModuleNotFoundError(how_to_install(names), name=name) from None
        raise
