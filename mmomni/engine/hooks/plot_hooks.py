"""Plots of the scores of all tested images."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmomni.evaluation.functional import (
    INTERVALS,
    per_image_scores,
    reliability,
    score_histogram,
)
from mmomni.evaluation.metrics.grouped_metric import tampered_probability
from mmomni.registry import HOOKS
from mmomni.visualization import draw_area_plot, draw_reliability, draw_score_curves

from .every_image_hook import EveryImageHook, counts_of


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
        counts = counts_of(sample)
        if counts.tampered:
            domain = sample.metainfo.get('domain', 'all')
            area = counts.tampered / counts.scored
            self._images.append((domain, area, per_image_scores(counts)['IoU']))

    def share(self) -> list[tuple[str, float, float]]:
        """The images of this rank."""
        return self._images

    def draw(self, runner: Runner, shares: Sequence[Sequence[tuple[str, float, float]]]) -> None:
        """Draw the images of all ranks."""
        images = [image for share in shares for image in share]
        if images:
            path = Path(runner.work_dir) / 'iou_by_area.png'
            points = defaultdict(list)
            for domain, area, iou in sorted(images):
                points[domain].append((area, iou))
            draw_area_plot(points, path)
            print_log(f'IoU against tampered area: {path}', logger='current')


@HOOKS.register_module()
class ScoreCurvesHook(EveryImageHook):
    """Draw how the pixels of each domain are ranked, and how far probabilities can be believed.

    ``pr_roc.png`` has precision-recall and ROC curves, ``reliability.png`` the share of tampered
    pixels among those of a probability, and the expected calibration error, which the log has, too.

    The pixels of all images of a domain count alike, so large images weigh more. They are counted
    in a histogram of their probabilities, whose size does not grow with the test. The shares of
    all ranks are added.

    Args:
        bins: Intervals of the histogram, a multiple of 20; as many thresholds have the curves.
        ignore_index: Ground-truth value that is not counted.

    Raises:
        ValueError: There is no such number of bins.
    """

    def __init__(self, bins: int = 10_000, ignore_index: int = 255) -> None:
        if bins < 1 or bins % INTERVALS:
            raise ValueError(
                f'ScoreCurvesHook: expected bins that are a multiple of {INTERVALS}, got {bins}'
            )
        self.bins = bins
        self.ignore_index = ignore_index

    def start(self) -> None:
        self._histograms: dict[str, Tensor] = {}

    def look(self, sample: BaseDataElement, index: int) -> None:
        """Add the pixels of an image to the histogram of its domain."""
        target = sample.gt_sem_seg.data.squeeze(0)
        probability = tampered_probability(sample.to_dict()).to(target.device)
        valid = target != self.ignore_index
        counts = score_histogram(probability[valid], target[valid] == 1, self.bins)
        domain = sample.metainfo.get('domain', 'all')
        empty = torch.zeros(2, self.bins, dtype=torch.int64)
        self._histograms[domain] = self._histograms.get(domain, empty) + torch.stack(counts).cpu()

    def share(self) -> dict[str, Tensor]:
        """The histograms of this rank."""
        return self._histograms

    def draw(self, runner: Runner, shares: Sequence[Mapping[str, Tensor]]) -> None:
        """Add the histograms of all ranks and draw."""
        total: dict[str, Tensor] = {}
        for histograms in shares:
            for domain, counts in histograms.items():
                total[domain] = total.get(domain, 0) + counts
        if total:
            total = {domain: total[domain] for domain in sorted(total)}
            path = Path(runner.work_dir) / 'pr_roc.png'
            draw_score_curves(total, path)
            print_log(f'precision-recall and ROC curves: {path}', logger='current')
            path = Path(runner.work_dir) / 'reliability.png'
            draw_reliability(total, path)
            errors = [f'{name} {reliability(*counts).error:.3f}' for name, counts in total.items()]
            print_log(
                f'expected calibration error: {", ".join(errors)}; {path}', logger='current'
            )
