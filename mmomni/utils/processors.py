"""How many processors there are."""

import os


def usable_processors() -> int:
    """Those that this process may run on, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
