"""How the C library handles the large pieces of memory that tensors are."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Options of glibc's ``mallopt``."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for what it asks for next.

    By default glibc gives every piece of 32 MiB and more back to the system when it is freed, and
    the system makes each page anew for the next one: for a network with large maps on a CPU that
    is a fifth of the time. For programs to call before they begin, never on import. The process
    then holds the most memory that it ever needed until it ends, and so do those forked from it.

    Returns:
        Whether the C library can do so (glibc can; others are left as they are).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; no POSIX; Windows
        return False
    # One arena: those of other threads are too small for large pieces.
    options = ((_M_TRIM_THRESHOLD, -1), (_M_MMAP_MAX, 0), (_M_ARENA_MAX, 1))
    return all(mallopt(option, value) for option, value in options)
