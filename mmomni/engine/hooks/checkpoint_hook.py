"""Checkpoints that a kill, a full disk or a loss of power cannot take away."""

import logging
import os.path as osp
import pickle
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader, Runner

from mmomni.engine.durable import DURABLE, DurableBackend, remove_unfinished
from mmomni.engine.finite import (
    REMEDY,
    DivergedError,
    Weight,
    last_saved,
    non_finite_weights,
    of_all_ranks,
    on_any_rank,
    some,
)
from mmomni.engine.resuming import NOTE, resume_whole, saved_in
from mmomni.registry import HOOKS
from mmomni.utils.files import write_durably

from .finite_loss_hook import FiniteLossHook

REPLACED = 'replaced_checkpoints'
"""In the message hub of a checkpoint: the names of those that it takes the place of."""


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, with its arguments, in an order in which nothing is lost.

    A checkpoint is written to a file of another name, synced and renamed; then the note
    ``last_checkpoint`` follows, and only then those go that are too many. The disk needs room for
    one more. (mmengine removes first and writes in place: a run that is killed while it saves the
    only checkpoint that it keeps has none.)

    A run that is resumed goes on from the last checkpoint that is whole. None is saved while
    losses are not finite, as :class:`FiniteLossHook` knows; weights that are not end the run.

    What is written elsewhere than on local disks (``backend_args``, ``s3://...``), or by the
    deprecated ``file_client_args``, is written as mmengine does.
    """

    file_backend: Any
    _constants: frozenset[Weight] = frozenset()
    """Buffers that a model is built with and that are not finite, such as the masks of some layers.

    Those of a checkpoint are not meant: statistics of norm layers are spoilt before any weight is.
    """

    def before_run(self, runner: Runner) -> None:
        """Choose what to resume; see :func:`mmomni.engine.resuming.resume_whole`."""
        built = non_finite_weights(runner)
        self._constants = frozenset(weight for weight in built if not weight.is_parameter)
        resume_whole(runner, saved_in(runner.work_dir, self.out_dir, self.filename_tmpl))

    def before_train(self, runner: Runner) -> None:
        """Find what an interrupted run left, and remove what it had not removed yet.

        Raises:
            DivergedError: The weights to start from are not finite.
        """
        super().before_train(runner)
        bad = self._bad_weights(runner)
        if on_any_rank(len(bad)):
            raise DivergedError(
                f'the weights to start from are not finite: {of_all_ranks(some(bad))}; start from '
                'an earlier checkpoint: --cfg-options load_from=FILE'
            )
        if self.file_client_args is None and type(self.file_backend) is LocalBackend:
            self.file_backend = DurableBackend()
            self.backend_args = dict(backend=DURABLE)
            self._find_best()
            self._find_last(runner)
            if is_main_process():
                for folder in sorted({str(runner.work_dir), str(self.out_dir)}):
                    remove_unfinished(Path(folder))

    def _bad_weights(self, runner: Runner) -> list[str]:
        return [w.name for w in non_finite_weights(runner) if w not in self._constants]

    def _find_best(self) -> None:
        """Of a work dir that was moved, or of another one, which then stays as it is."""
        if path := getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = self._here(path)
        best = getattr(self, 'best_ckpt_path_dict', {})
        best.update({key: self._here(path) for key, path in best.items() if path})

    def _here(self, path: str) -> str | None:
        here = osp.join(self.out_dir, osp.basename(path))
        return here if osp.exists(here) else None

    def _find_last(self, runner: Runner) -> None:
        """Take up the checkpoint that is resumed, if it was saved here.

        It is saved once more, where its validation is made up for and it turns out to be the best.
        """
        hub = runner.message_hub
        last = hub.get_info('last_ckpt')
        if not last or osp.abspath(osp.dirname(last)) != osp.abspath(self.out_dir):
            return
        self.last_ckpt = last
        if is_main_process():
            for name in hub.get_info(REPLACED, []):
                self.file_backend.remove(osp.join(self.out_dir, name))
            self.file_backend.remove_noted(self._in_use())

    def _best(self) -> list[str]:
        single = getattr(self, 'best_ckpt_path', None)
        several = getattr(self, 'best_ckpt_path_dict', {}).values()
        return [path for path in (single, *several) if path]

    def _in_use(self) -> list[str]:
        return [*([self.last_ckpt] if self.last_ckpt else []), *self._best()]

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        name = self.filename_tmpl.format(step)
        if self._refuses(runner, name):
            return
        backend = self.file_backend
        if not isinstance(backend, DurableBackend):
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        self._queue(runner, step)
        self.last_ckpt = backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        replaced = [osp.basename(path) for path in backend.noted(self._in_use())]
        runner.message_hub.update_info(REPLACED, replaced)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_durably(Path(runner.work_dir, NOTE), self.last_ckpt.encode())
            backend.remove_noted(self._in_use())

    def _queue(self, runner: Runner, step: int) -> None:
        """Count the checkpoint of a step; one that is too many is noted to be removed."""
        if self.max_keep_ckpts <= 0 or (self.keep_ckpt_ids and self.keep_ckpt_ids[-1] == step):
            return
        if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
            oldest = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            self.file_backend.remove(osp.join(self.out_dir, oldest))
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        what = f'the best checkpoint, if iteration {runner.iter} has it,'
        if not self.save_best or self._refuses(runner, what):
            return
        super()._save_best_checkpoint(runner, metrics)
        if isinstance(self.file_backend, DurableBackend) and is_main_process():
            self.file_backend.remove_noted(self._in_use())

    def _refuses(self, runner: Runner, what: str) -> bool:
        """Whether a loss is not finite, which the log then says. All ranks have to ask at once.

        Raises:
            DivergedError: Weights are not finite, on any rank.
        """
        losses = next((hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)), None)
        bad = self._bad_weights(runner)
        if on_any_rank(len(bad)):
            told = of_all_ranks(losses.told()) if losses else ''
            cause = f'of the losses, {told}' if told else 'all losses were, so gradients were not'
            raise DivergedError(
                f'weights are not finite any more: {of_all_ranks(some(bad))}; {cause}. {what} is '
                f'not saved and the training ends here; {last_saved(runner)}. {REMEDY}'
            )
        reason = losses.refusal() if losses else ''
        if reason:
            line = f'{what} is not saved, as losses are not finite: {reason}'
            print_log(line, logger='current', level=logging.WARNING)
        return bool(reason)

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        """As mmengine does, and to a file of the same name."""
        if not ckpt_path:  # no best checkpoint by one of several scores
            return
        if not isinstance(self.file_backend, DurableBackend):
            super()._publish_model(runner, ckpt_path)
            return
        content: dict[str, Any] = CheckpointLoader.load_checkpoint(ckpt_path)
        keys = self.published_keys or ()
        published = {key: value for key, value in content.items() if key in keys}
        digits = sha256(pickle.dumps(published)).hexdigest()[:8]
        path = f'{osp.splitext(ckpt_path)[0]}-{digits}.pth'
        with BytesIO() as file:
            torch.save(published, file)
            write_durably(Path(path), file.getvalue())
        left_out = [key for key in content if key not in keys]
        print_log(f'{ckpt_path} is published as {path}, without {left_out}', logger='current')
