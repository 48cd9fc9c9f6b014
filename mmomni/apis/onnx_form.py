"""What an exported file says about its graph: the names of inputs and outputs, and its geometry."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from .geometry import Operand

KEY = 'mmomni_graph'
"""Under this name an exported file says what its graph is, a JSON text."""
FORM = 2
"""Version of the graph. In 1, which told nothing of itself, each window answered for itself."""
PLANES, TOLD, CONTEXT = 'planes', 'told', 'context'
"""Inputs, beside those of the geometry: a window, whether the network is told what it would say of
the whole image, and this, (length,)."""
LOG_ODDS, GATE, MEANS, LOG_WEIGHTS = 'log_odds', 'gate', 'means', 'log_weights'
"""Outputs: see :class:`~.network.Output`; what the window says of the whole, (1, length), and the
logarithms of how much that counts."""
REMEDY = 'export its checkpoint with tools/deployment/pytorch2onnx.py of this mmomni'
MOST_SHARED = 10**7
"""Numbers that windows share; more would be no summary of an image."""


class Graph(NamedTuple):
    """Of an exported network.

    Attributes:
        operands: Inputs that tell where a window lies.
        length: Numbers that windows share; 0: nothing.
        complete: Whether nothing of the network looks at a window only.
        source: Name of the published file that it was made of; empty: of none.
        source_sha256: Its digest.
    """

    operands: tuple[Operand, ...]
    length: int
    complete: bool
    source: str = ''
    source_sha256: str = ''

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset({PLANES, TOLD, CONTEXT, *(operand.name for operand in self.operands)})

    def text(self) -> str:
        """What :func:`parse_graph` reads."""
        return json.dumps(dict(form=FORM, **self._asdict()))


def parse_graph(text: str | None, path: Path) -> Graph:
    """Read what a file says about its graph.

    Raises:
        ValueError: It is of an older or later form, or makes no sense.
    """
    fields = {} if text is None else _fields(text, path)
    form = fields.pop('form', 1)
    if form != FORM:
        raise ValueError(
            f'{path} was exported in form {form!r}, this mmomni runs form {FORM}; {REMEDY}'
        )
    try:
        graph = Graph(**fields)
        operands = tuple(Operand(*each) for each in graph.operands)
        if not (
            all(operand.is_sound for operand in operands)
            and type(graph.length) is int
            and 0 <= graph.length <= MOST_SHARED
            and type(graph.complete) is bool
        ):
            raise ValueError(text)
    except (ValueError, TypeError) as error:
        raise _damaged(path, text) from error
    return graph._replace(operands=operands)


def _fields(text: str, path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(text)
        if isinstance(fields, dict):
            return fields
    except (ValueError, RecursionError):
        pass
    raise _damaged(path, text)


def _damaged(path: Path, text: str | None) -> ValueError:
    return ValueError(f'{path} is damaged: it says of its graph {text!r:.200}; {REMEDY}')
