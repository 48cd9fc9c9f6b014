"""Which devices the tests, and the processes that they start, can see."""

import os

ON = 'MMOMNI_GPU_TESTS_ON'
"""Environment: ``cpu`` lets ``-m gpu`` run on the CPU what can run there, a trial of itself."""


def hide_gpus(markexpr):
    """Hide all GPUs, but from ``-m gpu``; before anything initialises CUDA or imports mmengine.

    The other tests count on a CPU: the same bits again, two ranks on any machine, its memory.
    """
    if is_trial() or not are_gpu_tests_alone(markexpr):
        os.environ['CUDA_VISIBLE_DEVICES'] = ''


def is_trial():
    """Whether the tests of GPUs are to run on the CPU."""
    return os.environ.get(ON) == 'cpu'


def are_gpu_tests_alone(markexpr):
    """Whether ``-m`` selects nothing but tests marked ``gpu``: ``gpu``, ``gpu and not slow``."""
    words = markexpr.replace('(', ' ').replace(')', ' ').split()
    return words[:1] == ['gpu'] and 'or' not in words
