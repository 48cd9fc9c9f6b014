import math


def nest(metrics: dict) -> dict:
    """``{'a/b': 1}`` -> ``{'a': {'b': 1}}``, the form of ``results.json``; NaN becomes ``None``."""
    nested: dict = {}
    for key, value in metrics.items():
        *groups, name = key.split('/')
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = None if math.isnan(value) else value
    return nested
