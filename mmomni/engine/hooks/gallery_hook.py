from collections import defaultdict
from pathlib import Path

import cv2
from mmengine import fileio
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmomni.evaluation.functional import per_image_scores, pixel_counts
from mmomni.jpeg import decode
from mmomni.registry import HOOKS
from mmomni.visualization import GalleryRow, draw_gallery, shrink

from .every_image_hook import EveryImageHook

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
        rows = self._rows[sample.metainfo.get('domain', 'all')]
        if len(rows) < self.num_per_domain:
            rows.append(_row(sample))

    def draw(self, runner: Runner) -> None:
        """Draw the picture (rank 0, from its own share of the images)."""
        rows = [row for group in self._rows.values() for row in group]
        if rows and runner.rank == 0:
            path = Path(runner.work_dir) / 'gallery.png'
            draw_gallery(rows, path)
            print_log(f'gallery: {path}', logger='current')


def _row(sample: BaseDataElement) -> GalleryRow:
    meta = sample.metainfo
    mask = sample.gt_sem_seg.data.squeeze(0)
    prediction = sample.pred_sem_seg.data.squeeze(0).to(mask.device)
    iou = per_image_scores(pixel_counts(prediction, mask))['IoU']
    label = f'{meta.get("domain", "")}\n{short_name(meta["img_path"])}'
    return make_row(sample, label, caption(iou, sample.get('p_modal')))


def make_row(sample: BaseDataElement, label: str, caption: str) -> GalleryRow:
    """The row of a prediction, no larger than it is drawn; shows the file at the mask's size."""
    path = sample.metainfo['img_path']
    mask = sample.gt_sem_seg.data.squeeze(0).cpu().numpy()
    row = GalleryRow(
        image=cv2.resize(decode(fileio.get(path), path), mask.shape[::-1]),
        mask=mask,
        heat=sample.seg_logits.data.softmax(dim=0)[1].cpu().numpy(),
        label=label,
        caption=caption,
    )
    return shrink(row)


def short_name(path: str) -> str:
    """The end of a file's name, as much as fits beside its row."""
    return Path(path).name[-LABEL_LENGTH:]


def caption(iou: float, p_modal: float | None) -> str:
    """Score and the gate's choice, where there is a gate."""
    chosen = {None: '', True: 'gate: vision', False: 'gate: vision + frequency'}
    return f'IoU {iou:.2f}  {chosen[p_modal if p_modal is None else p_modal >= 0.5]}'
