"""The argument parser of all commands."""

import argparse
import sys
from typing import NoReturn, TypeAlias


class Parser(argparse.ArgumentParser):
    """Ends with ``usage_status`` after wrong arguments."""

    usage_status = 2

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.usage_status, f'{self.prog}: error: {message}\n')


Commands: TypeAlias = 'argparse._SubParsersAction[Parser]'
