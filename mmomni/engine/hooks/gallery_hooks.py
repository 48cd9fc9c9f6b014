"""Pictures of tested images beside their masks and predictions."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch
from mmengine.logging import print_log
from mmengine.runner import Runner, autocast
from mmengine.structures import BaseDataElement

from mmomni.datasets.stored_files import read_bytes
from mmomni.evaluation.functional import per_image_scores
from mmomni.jpeg import decode
from mmomni.registry import HOOKS
from mmomni.visualization import GalleryRow, draw_gallery, shrink

from .every_image_hook import EveryImageHook, counts_of

LABEL_LENGTH = 20  # characters of a file name that fit beside its row


@HOOKS.register_module()
class GalleryHook(EveryImageHook):
    """Draw the first tested images of every domain into ``<work_dir>/gallery.png``.

    Args:
        num_per_domain: Rows for each domain.
    """

    def __init__(self, num_per_domain: int = 3) -> None:
        self.num_per_domain = num_per_domain

    def start(self) -> None:
        self._rows: dict[str, list[GalleryRow]] = defaultdict(list)

    def look(self, sample: BaseDataElement, index: int) -> None:
        """Keep a sample while its domain has room."""
        meta = sample.metainfo
        rows = self._rows[meta.get('domain', 'all')]
        if len(rows) < self.num_per_domain:
            iou = per_image_scores(counts_of(sample))['IoU']
            rows.append(_row(sample, meta.get('domain', ''), iou, sample.get('p_modal')))

    def draw(self, runner: Runner, shares: Sequence[Any]) -> None:
        """Draw the picture, from the images that rank 0 itself has seen."""
        rows = [row for group in self._rows.values() for row in group]
        if rows:
            path = Path(runner.work_dir) / 'gallery.png'
            draw_gallery(rows, path)
            print_log(f'gallery: {path}', logger='current')


class Tested(NamedTuple):
    """What is kept of a tampered image."""

    iou: float
    path: str
    position: int
    dataset: str
    p_modal: float | None


@HOOKS.register_module()
class ExtremesHook(EveryImageHook):
    """Draw the best, the median and the worst image of each dataset: ``extremes/<dataset>.png``.

    Ranked by the IoU of protocol ``per_image`` among the tampered images of all ranks (an
    authentic one scores 0 whatever is predicted). A few words an image are kept; rank 0 predicts
    the chosen ones again, so the memory does not grow with the size of the images.
    """

    def start(self) -> None:
        self._tested: list[Tested] = []

    def look(self, sample: BaseDataElement, index: int) -> None:
        """Keep the IoU of an image."""
        counts = counts_of(sample)
        if counts.tampered:
            meta = sample.metainfo
            dataset = f'{meta.get("domain", "all")}_{meta.get("dataset_name", "dataset")}'
            iou, p_modal = per_image_scores(counts)['IoU'], sample.get('p_modal')
            self._tested.append(Tested(iou, meta['img_path'], index, dataset, p_modal))

    def share(self) -> list[Tested]:
        """The images of this rank."""
        return self._tested

    def draw(self, runner: Runner, shares: Sequence[Sequence[Tested]]) -> None:
        """Choose among the images of all ranks and draw; one set that fails costs no other's."""
        groups = defaultdict(list)
        for share in shares:
            for tested in share:
                groups[tested.dataset].append(tested)
        folder = Path(runner.work_dir) / 'extremes'
        for dataset, group in groups.items():
            with self.noting_failure(f'no picture of {dataset}'):
                rows = [
                    _row(_predicted_again(runner, tested), rank, tested.iou, tested.p_modal)
                    for rank, tested in choose(group).items()
                ]
                draw_gallery(rows, folder / f'{dataset.replace("/", "_")}.png')
        if groups:
            print_log(f'best, median and worst of each dataset: {folder}', logger='current')


def choose(group: Sequence[Tested]) -> dict[str, Tested]:
    """Best, median (of an even number the lower) and worst; an image is taken once."""
    ranked = sorted(group)
    chosen = dict(best=ranked[-1])
    for rank, tested in (('worst', ranked[0]), ('median', ranked[(len(ranked) - 1) // 2])):
        if tested not in chosen.values():
            chosen[rank] = tested
    return {rank: chosen[rank] for rank in ('best', 'median', 'worst') if rank in chosen}


def _predicted_again(runner: Runner, tested: Tested) -> BaseDataElement:
    loader = runner.test_dataloader
    data = loader.collate_fn([loader.dataset[tested.position]])
    with torch.no_grad(), autocast(enabled=runner.test_loop.fp16):
        (sample,) = runner.model.test_step(data)
    if sample.metainfo['img_path'] != tested.path:
        raise ValueError(
            f'ExtremesHook needs images tested in the order of the dataset, but number '
            f'{tested.position} was {tested.path} and is {sample.metainfo["img_path"]}; use '
            "test_dataloader.sampler=dict(type='DefaultSampler', shuffle=False)"
        )
    return sample


def _row(sample: BaseDataElement, title: str, iou: float, p_modal: float | None) -> GalleryRow:
    """The row of a prediction, no larger than it is drawn; shows the file at the mask's size.

    Beside it stand a title and the end of the file's name, the score, and the gate's choice, where
    there is a gate.
    """
    path = sample.metainfo['img_path']
    mask = sample.gt_sem_seg.data.squeeze(0).cpu().numpy()
    chosen = {None: '', True: 'gate: vision', False: 'gate: vision + frequency'}
    row = GalleryRow(
        image=cv2.resize(decode(read_bytes(path), path), mask.shape[::-1]),
        mask=mask,
        heat=sample.seg_logits.data.softmax(dim=0)[1].cpu().numpy(),
        label=f'{title}\n{Path(path).name[-LABEL_LENGTH:]}',
        caption=f'IoU {iou:.2f}  {chosen[p_modal if p_modal is None else p_modal >= 0.5]}',
    )
    return shrink(row)
