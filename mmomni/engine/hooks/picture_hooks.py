"""Predictions of a test as files: pictures for people, masks and probabilities for programs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine import fileio
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from PIL import Image

from mmomni.jpeg import decode, open_image
from mmomni.jpeg.orientation import orientation_of, upright
from mmomni.registry import HOOKS
from mmomni.utils.files import replacing
from mmomni.visualization import heat_levels, overlay

from .every_image_hook import EveryImageHook
from .output_names import ImageOfSet, image_of_set, names_of

PALETTE = [0, 0, 0, 255, 255, 255]
"""Of masks whose values are 0 and 1: so people see them, and programs that convert to grey."""


class FilesHook(EveryImageHook):
    """Writes files for every image, by every rank those of its own share."""

    def before_test(self, runner: Runner) -> None:
        """Remember whose images these are."""
        self._runner = runner
        self._names: dict[ImageOfSet, str] | None = None
        super().before_test(runner)

    def start(self) -> None:
        """There is nothing to forget."""

    def draw(self, runner: Runner, shares: Sequence[Any]) -> None:
        """Everything is written at once."""

    def _path(self, folder: Path, sample: BaseDataElement, index: int) -> Path:
        if self._names is None:  # of all images, so that all ranks agree
            self._names = names_of(self._runner.test_dataloader.dataset)
        image = image_of_set(sample.metainfo)
        name = self._names.get(image, f'{index:06d}_{Path(image.path).stem}')
        path = folder / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@HOOKS.register_module()
class VisualizationHook(FilesHook):
    """Draw predictions over the pictures, ground truth at the left, as viewers show the photo.

    In the place of mmseg's ``SegVisualizationHook``, whose pictures are turned by their EXIF
    orientation while the masks are not, and which draws on rank 0 alone. Images that could not be
    read are left out. In validation, one image is drawn every ``interval`` iterations.

    Args:
        draw: Whether to draw at all.
        interval: See above.
        show: Open a window for each picture instead of storing it.
        wait_time: Seconds until the next; 0: until it is closed.
        out_dir: Folder of the pictures, ``domain/dataset/a.png``. Default: they go to the
            visualizer, which hands them to all its backends.
        backend_args: Storage backend of :mod:`mmengine.fileio`.
    """

    needs_probabilities = False

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        out_dir: str | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.enabled = draw
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.backend_args = backend_args

    def before_test(self, runner: Runner) -> None:
        """Rest, where nothing is drawn."""
        super().before_test(runner)
        self._is_active = self._is_active and self.enabled

    def look(self, sample: BaseDataElement, index: int) -> None:
        """Draw an image of a test."""
        picture = self._picture(sample)
        name = f'test_{Path(sample.metainfo["img_path"]).name}'
        if self.out_dir is not None:
            _write(self._path(self.out_dir, sample, index), Image.fromarray(picture))
        if self.show:
            self._runner.visualizer.show(picture, win_name=name, wait_time=self.wait_time)
        elif self.out_dir is None:
            self._runner.visualizer.add_image(name, picture, step=index + 1)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] = (),
    ) -> None:
        """Draw the first image of a batch, now and then."""
        step = runner.iter + batch_idx
        if not self.enabled or step % self.interval or 'unreadable' in outputs[0].metainfo:
            return
        name = f'val_{Path(outputs[0].metainfo["img_path"]).name}'
        try:
            runner.visualizer.add_image(name, self._picture(outputs[0]), step=step)
        except Exception as error:  # noqa: BLE001  (whatever it is, the training goes on)
            print_log(
                f'{type(self).__name__}: no picture {name}, because of '
                f'{type(error).__name__}: {error}',
                logger='current',
                level=logging.ERROR,
            )

    def _picture(self, sample: BaseDataElement) -> np.ndarray:
        path = sample.metainfo['img_path']
        data = fileio.get(path, backend_args=self.backend_args)
        predicted = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
        image = cv2.resize(decode(data, path), predicted.shape[::-1])
        with open_image(data) as opened:
            orientation = orientation_of(opened)
        masks = [predicted]
        if 'gt_sem_seg' in sample:
            masks.insert(0, sample.gt_sem_seg.data.squeeze(0).cpu().numpy())
        drawn = [overlay(image, (mask == 1).astype(np.float32)) for mask in masks]
        return np.hstack([upright(each, orientation) for each in drawn])


@HOOKS.register_module()
class SavePredictionsHook(FilesHook):
    """Write every prediction as two PNGs, at the size of its image as stored.

    ``masks/domain/dataset/a.png``: 1 = tampered, 0 = not, with a palette in which 1 is white.
    ``probabilities/domain/dataset/a.png``: ``round(255 p)`` of "tampered", grey; none where views
    were merged by decisions (mmseg's ``SegTTAModel``).

    Args:
        out_dir: Folder of both.
    """

    needs_probabilities = False

    def __init__(self, out_dir: str) -> None:
        self.out_dir = Path(out_dir)

    def look(self, sample: BaseDataElement, index: int) -> None:
        """Write an image of a test."""
        mask = Image.fromarray(sample.pred_sem_seg.data.squeeze(0).byte().cpu().numpy())
        mask.putpalette(PALETTE)
        _write(self._path(self.out_dir / 'masks', sample, index), mask)
        if not self._has_probabilities:
            return
        probability = sample.seg_logits.data.float().softmax(dim=0)[1].cpu().numpy()
        levels = Image.fromarray(heat_levels(probability))
        _write(self._path(self.out_dir / 'probabilities', sample, index), levels)


def _write(path: Path, picture: Image.Image) -> None:
    with replacing(path) as unfinished:
        picture.save(unfinished, 'PNG', compress_level=3)
