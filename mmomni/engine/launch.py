import torch
from mmengine.config import Config


def allow_cpu_ranks(cfg: Config) -> None:
    """Let ``--launcher pytorch`` start processes on a machine without CUDA.

    mmengine would set a CUDA device in every process and hand its number to DDP, which refuses
    one for modules on the CPU. The config must name a backend for CPUs:
    ``env_cfg.dist_cfg.backend=gloo``.
    """
    if cfg.launcher != 'pytorch' or torch.cuda.is_available():
        return
    torch.distributed.init_process_group(cfg.env_cfg.dist_cfg.backend)
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
    )
