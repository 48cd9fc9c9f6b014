import logging
import os.path as osp
from pathlib import Path
from typing import Any, ClassVar

from mmengine.logging import print_log

from mmomni.jpeg import ImageReadError
from mmomni.registry import DATASETS
from mmomni.utils.files import find_by_stem

from .configured import check_prefix
from .host import BaseSegDataset
from .lists import describe_missing, pairs_of_list
from .splits import SPLIT_DEFAULTS, check_split, indices_of_split


@DATASETS.register_module()
class ManipulationDataset(BaseSegDataset):
    """Images with masks of their tampered regions.

    Two layouts::

        data_root/images/**/a.jpg   data_root/masks/**/a.png      paired by path without suffix
        ann_file: lines ``image mask`` or ``image -``             relative to data_root

    In the first, an image without a mask is authentic, while a mask without an image is an
    error; without a mask folder (``data_prefix=dict(img_path=...)``) all are authentic. A list
    file may have any form that :mod:`mmomni.datasets.list_rows` reads: columns, CSV, JSON.

    A file that cannot be read never ends a run. It is named in the log; in training another
    sample takes its place, in testing its place is taken by the next readable sample, marked
    with ``unreadable`` in its meta data, which :class:`mmomni.ManipulationMetric` counts but does
    not score.

    Args:
        domain: ``'natural'``, ``'document'``, ``'face'`` or a name of your own; results are
            averaged within domains.
        name: What tables call this set. Default: the last part of ``data_root``.
        held_out: So many images, evenly spaced over the list, are held out of training.
        split: ``'train'``: all but those; ``'held_out'``: those, to validate on.
        **kwargs: Those of :class:`mmseg.datasets.BaseSegDataset`.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=('authentic', 'tampered'), palette=[[0, 0, 0], [255, 0, 0]]
    )

    def __init__(
        self,
        domain: str,
        name: str | None = None,
        data_prefix: dict | None = None,
        held_out: int = SPLIT_DEFAULTS['held_out'],
        split: str = SPLIT_DEFAULTS['split'],
        **kwargs: Any,
    ) -> None:
        check_split(split, held_out)
        self.held_out = held_out
        self.split = split
        self.domain = domain
        self.name = name or Path(kwargs.get('data_root') or '').name or domain
        self._named_unreadable: set[str] = set()
        check_prefix(self.name, kwargs.get('ann_file'), data_prefix)
        if data_prefix is None and not kwargs.get('ann_file'):
            data_prefix = dict(img_path='images', seg_map_path='masks')
        super().__init__(data_prefix=data_prefix or {}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Raises ``FileNotFoundError`` or ``ValueError`` naming what does not fit."""
        pairs = self._pairs_of_list() if self.ann_file else self._pairs_of_folders()
        if not pairs:
            raise ValueError(f'{self.name}: no images found in {self.ann_file or self.data_prefix}')
        kept = indices_of_split(len(pairs), self.held_out, self.split, self.name)
        pairs = [pairs[index] for index in kept]
        tampered = sum(mask is not None for _, mask in pairs)
        print_log(
            f'{self.name} ({self.domain}): {tampered} images with a mask, '
            f'{len(pairs) - tampered} authentic',
            logger='current',
        )
        shared = dict(
            dataset_name=self.name,
            domain=self.domain,
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
        )
        return [
            dict(img_path=image, seg_map_path=mask, seg_fields=[], **shared)
            for image, mask in pairs
        ]

    def _pairs_of_list(self) -> list[tuple[str, str | None]]:
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(f'{self.name}: expected a list file at {path}, found none')
        root = self.data_root or ''
        found = pairs_of_list(path, root)
        missing = describe_missing(path, root, found.pairs)
        for note in found.notes:
            print_log(f'{self.name}: {note}', logger='current')
        if missing:
            print_log(f'{self.name}: {missing}', logger='current', level=logging.ERROR)
        return [(pair.image, pair.mask) for pair in found.pairs]

    def _pairs_of_folders(self) -> list[tuple[str, str | None]]:
        images = self._files_by_stem(self.data_prefix['img_path'])
        masks = {}
        if self.data_prefix.get('seg_map_path'):
            masks = self._files_by_stem(self.data_prefix['seg_map_path'])
        orphans = sorted(set(masks) - set(images))
        if orphans:
            raise ValueError(
                f'{self.name}: {len(orphans)} masks have no image of the same stem, the first are '
                f'{orphans[:3]}; rename them, or give the pairs in a list file (ann_file)'
            )
        return [(image, masks.get(stem)) for stem, image in sorted(images.items())]

    def _files_by_stem(self, folder: str) -> dict[str, str]:
        if not osp.isdir(folder):
            raise FileNotFoundError(
                f'{self.name}: expected a folder at {folder}, found none; check data_root, or, if '
                "all images are authentic, set data_prefix=dict(img_path='images')"
            )
        found = find_by_stem(Path(folder))
        for stem, paths in found.items():
            if len(paths) > 1:
                raise ValueError(
                    f'{self.name}: {paths[0]} and {paths[1]} share the stem {stem!r}, so masks '
                    'cannot be paired with them; rename one, or use a list file (ann_file)'
                )
        return {stem: path for stem, (path,) in found.items()}

    def prepare_data(self, idx: int) -> dict | None:
        """One packed sample; ``None`` (mmengine then draws another) if unreadable in training."""
        try:
            return super().prepare_data(idx)
        except ImageReadError as error:
            path = self.get_data_info(idx)['img_path']
            if path not in self._named_unreadable:
                self._named_unreadable.add(path)
                print_log(f'unreadable: {error}', logger='current', level=logging.ERROR)
            return self._stand_in(idx, path, str(error)) if self.test_mode else None

    def _stand_in(self, idx: int, path: str, error: str) -> dict:
        """The next readable sample, marked, so that loaders and metrics keep their count."""
        for step in range(1, len(self)):
            try:
                packed = super().prepare_data((idx + step) % len(self))
            except ImageReadError:
                continue
            samples = packed['data_samples']  # one for each view in test-time augmentation
            for sample in samples if isinstance(samples, list) else [samples]:
                sample.set_metainfo(dict(img_path=path, unreadable=error))
            return packed
        raise ImageReadError(f'{self.name}: not one of its {len(self)} images can be read')
