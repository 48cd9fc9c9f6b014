from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def staged(name: str) -> Path:
    """A file or folder that the package carries along: ``'configs'``, ``'tools/train.py'``.

    Installed, it is in ``mmomni/.mim``; in a checkout that nobody installed, beside the package.

    Raises:
        FileNotFoundError: The package was installed without it.
    """
    carried = PACKAGE / '.mim'
    path = (carried if carried.is_dir() else PACKAGE.parent) / name
    if not path.exists():
        raise FileNotFoundError(
            f'expected {name} in the package, at {path}; install mmomni anew, by pip or '
            '`mim install -e .`'
        )
    return path
