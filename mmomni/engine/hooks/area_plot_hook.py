from collections import defaultdict
from pathlib import Path

from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmomni.evaluation.functional import per_image_scores, pixel_counts
from mmomni.registry import HOOKS
from mmomni.visualization import draw_area_plot

from .every_image_hook import EveryImageHook


@HOOKS.register_module()
class AreaPlotHook(EveryImageHook):
    """Draw the IoU of every tampered image against its tampered area: ``iou_by_area.png``.

    IoU is that of protocol ``per_image``. Two numbers an image are kept; those of all ranks
    are gathered.
    """

    needs_probabilities = False

    def start(self) -> None:
        self._images: list[tuple[str, float, float]] = []

    def look(self, sample: BaseDataElement, index: int) -> None:
        """Keep domain, area and IoU of an image."""
        target = sample.gt_sem_seg.data.squeeze(0)
        counts = pixel_counts(sample.pred_sem_seg.data.squeeze(0).to(target.device), target)
        if counts.tampered:
            domain = sample.metainfo.get('domain', 'all')
            area = counts.tampered / counts.scored
            self._images.append((domain, area, per_image_scores(counts)['IoU']))

    def draw(self, runner: Runner) -> None:
        """Gather the images of all ranks and draw (rank 0)."""
        images = [image for share in all_gather_object(self._images) for image in share]
        if images and runner.rank == 0:
            path = Path(runner.work_dir) / 'iou_by_area.png'
            points = defaultdict(list)
            for domain, area, iou in sorted(images):
                points[domain].append((area, iou))
            draw_area_plot(points, path)
            print_log(f'IoU against tampered area: {path}', logger='current')
