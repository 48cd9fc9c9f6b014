"""``python -m mmomni`` is the command ``mmomni``."""

from .cli import main

if __name__ == '__main__':
    raise SystemExit(main())
