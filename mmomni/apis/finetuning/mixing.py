"""Between before and after: the mean of the tuned weights and of those that they started from.

Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022): it gives up a part of
what was learned, and keeps nearly all of what was known.
"""

from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.config import Config
from mmengine.runner import Runner

from mmomni.checkpoints import average_files

from .outcome import Outcome, Scores, Tell, scores_of, standing

SHARES = (0.75, 0.5)
"""Of the tuned weights, in the order in which they are tried."""
MOST_LOST = 0.003
"""Of IoU on what it knew, which is no more than noise: where tuning costs more, less of it is
taken."""


def mixed(cfg: Config, outcome: Outcome, start: Path, tell: Tell) -> Outcome:
    """The outcome that forgets little enough: this one, or with a share of it in the weights.

    Where none does, that which forgets least; all that count are better than the start.

    Args:
        cfg: Of the training that it came from.
        outcome: Of it.
        start: File of the weights that it started from.
        tell: Is told how each mean stands.
    """
    found = outcome
    for share in SHARES:
        if not outcome.is_better or found.lost <= MOST_LOST:
            break
        path = Path(cfg.work_dir, f'mixed_{share}.pth')
        best = path.with_name(outcome.best)
        trust = bool(cfg.get('trust_checkpoint'))
        average_files([best, start], path, [share, 1 - share], trust, heads_of_first=True)
        tried = outcome._replace(after=_validated(cfg, path), best=path.name, share=share)
        tell(f'{share:.0%} of it: {standing(tried.before, tried.after)}')
        if tried.is_better and tried.lost < found.lost:
            found = tried
    return found


def _validated(cfg: Config, checkpoint: Path) -> Scores:
    """Scores of a checkpoint on the held-out parts."""
    alone = deepcopy(cfg)
    alone.update(custom_hooks=[], visualizer=None, load_from=str(checkpoint), resume=False)
    alone.default_hooks['checkpoint'] = None
    with TemporaryDirectory() as folder:
        alone.update(work_dir=folder, experiment_name=f'validated in {folder}')
        return scores_of(Runner.from_cfg(alone).val())
