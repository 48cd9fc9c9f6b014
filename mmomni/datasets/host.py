"""The bases of our datasets and transforms, imported without a line that is of no use.

The maintained mmseg prints at every start, twice, that a service is not there of which nothing
here makes use.
"""

import io
import sys
from contextlib import redirect_stdout

USELESS = 'Could not import OneDL'

with redirect_stdout(io.StringIO()) as _printed:
    from mmseg.datasets import BaseSegDataset
    from mmseg.datasets.transforms import PackSegInputs

for _line in _printed.getvalue().splitlines(keepends=True):
    if _line.rstrip() != USELESS:
        sys.stdout.write(_line)

__all__ = ['BaseSegDataset', 'PackSegInputs']
