"""Configs as text, read without running it."""

import ast
from collections.abc import Iterator
from typing import Any


def values_of_config(text: str) -> dict[str, Any]:
    """The entries of a config from the text that mmengine makes of it, which is not run.

    Raises:
        ValueError: It is no list of plain values.
    """
    try:
        return {key: _value(node) for key, node in _assignments(text)}
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error


def _assignments(text: str) -> Iterator[tuple[str, ast.expr]]:
    for line in ast.parse(text).body:
        if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
            raise ValueError(f'line {line.lineno} is no assignment')
        yield line.targets[0].id, line.value


def _value(node: ast.expr) -> Any:
    """Of a literal, or of what mmengine makes of one: ``dict(a=1)``, ``dict({'a.b': 1})``."""
    if isinstance(node, ast.Call):
        is_dict = isinstance(node.func, ast.Name) and node.func.id == 'dict'
        first = [each for each in node.args if isinstance(each, ast.Dict)]
        if not is_dict or first != node.args or any(each.arg is None for each in node.keywords):
            raise ValueError(f'line {node.lineno} calls something')
        named = {str(each.arg): _value(each.value) for each in node.keywords}
        return dict(*map(_value, first), **named)
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(map(_value, node.elts))
    return ast.literal_eval(node)
