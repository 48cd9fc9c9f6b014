"""The most memory that a run holds beyond what was held before it."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


def peak_memory(run: Callable[[], object], device: torch.device) -> int:
    """Bytes at the highest point of one run, above those of its start (weights, inputs).

    On CUDA that is what the caching allocator handed out (``max_memory_allocated``). On the CPU it
    is torch's own allocations too, summed from the profiler's record of every one of them;
    scratch space that oneDNN or the BLAS library allocate themselves is not seen.
    """
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        start = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - start
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # else it tells of each beginning and end
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'trace.json'
        profiler.export_chrome_trace(str(path))
        trace = json.loads(path.read_text(encoding='utf-8'))
    changes = [
        (event['ts'], event['args']['Bytes'])
        for event in trace['traceEvents']
        if event.get('name') == '[memory]' and event['args']['Device Type'] == 0
    ]
    held = highest = 0
    for _, change in sorted(changes, key=lambda pair: pair[0]):
        held += change
        highest = max(highest, held)
    return highest
