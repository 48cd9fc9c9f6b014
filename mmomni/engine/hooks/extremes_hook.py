from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from mmengine.runner import Runner, autocast
from mmengine.structures import BaseDataElement

from mmomni.evaluation.functional import per_image_scores, pixel_counts
from mmomni.registry import HOOKS
from mmomni.visualization import GalleryRow, draw_gallery

from .every_image_hook import EveryImageHook
from .gallery_hook import caption, make_row, short_name


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
        target = sample.gt_sem_seg.data.squeeze(0)
        counts = pixel_counts(sample.pred_sem_seg.data.squeeze(0).to(target.device), target)
        if counts.tampered:
            meta = sample.metainfo
            dataset = f'{meta.get("domain", "all")}_{meta.get("dataset_name", "dataset")}'
            iou, p_modal = per_image_scores(counts)['IoU'], sample.get('p_modal')
            self._tested.append(Tested(iou, meta['img_path'], index, dataset, p_modal))

    def draw(self, runner: Runner) -> None:
        """Gather the images of all ranks, choose and draw (rank 0)."""
        groups = defaultdict(list)
        for share in all_gather_object(self._tested):
            for tested in share:
                groups[tested.dataset].append(tested)
        if not groups or runner.rank:
            return
        folder = Path(runner.work_dir) / 'extremes'
        for dataset, group in groups.items():
            rows = [_row(runner, tested, rank) for rank, tested in choose(group).items()]
            draw_gallery(rows, folder / f'{dataset.replace("/", "_")}.png')
        print_log(f'best, median and worst of each dataset: {folder}', logger='current')


def choose(group: Sequence[Tested]) -> dict[str, Tested]:
    """Best, median (of an even number the lower) and worst; an image is taken once."""
    ranked = sorted(group)
    chosen = dict(best=ranked[-1])
    for rank, tested in (('worst', ranked[0]), ('median', ranked[(len(ranked) - 1) // 2])):
        if tested not in chosen.values():
            chosen[rank] = tested
    return {rank: chosen[rank] for rank in ('best', 'median', 'worst') if rank in chosen}


def _row(runner: Runner, tested: Tested, rank: str) -> GalleryRow:
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
    label = f'{rank}\n{short_name(tested.path)}'
    return make_row(sample, label, caption(tested.iou, tested.p_modal))
