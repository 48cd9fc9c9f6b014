"""The argument parser of all commands, and the numbers among their arguments."""

import argparse
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, TypeAlias, TypeVar

from mmomni.evaluation.calibration import A_DOMAIN, is_domain

Value = TypeVar('Value', int, float, str)


class Parser(argparse.ArgumentParser):
    """Ends with ``usage_status`` after wrong arguments."""

    usage_status = 2

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.usage_status, f'{self.prog}: error: {message}\n')


Commands: TypeAlias = 'argparse._SubParsersAction[Parser]'


def checked(
    kind: Callable[[str], Value], fits: Callable[[Value], bool], expected: str
) -> Callable[[str], Value]:
    """The ``type`` of an argument whose values have to fit; ``expected`` says in words how."""

    @wraps(kind, updated=())  # argparse names what it cannot convert to
    def parse(text: str) -> Value:
        value = kind(text)
        if not fits(value):
            raise argparse.ArgumentTypeError(f'expected {expected}, got {text}')
        return value

    return parse


class Once(argparse.Action):
    """Refuses a second value, which would else replace the first in silence; default: None."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
        option_string: str | None = None,
    ) -> None:  # fmt: skip
        """Called by argparse."""
        if getattr(namespace, self.dest) is not None:
            parser.error(f'expected {option_string} once, got it again')
        setattr(namespace, self.dest, values)


def rate(text: str) -> float:
    """``0.05`` and ``5%``, to the last digit."""
    return float(f'{text[:-1]}e-2' if text.endswith('%') else text)


RATE = checked(rate, lambda share: 0 < share < 1, 'a rate above 0 and below 1')
DOMAIN = checked(str, is_domain, A_DOMAIN)
