import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmengine.logging import print_log

from mmomni.jpeg import ImageReadError
from mmomni.registry import DATASETS
from mmomni.utils.classes import METAINFO
from mmomni.utils.text import read_text, text_lines

from .configured import check_prefix
from .folders import pair_in_folders
from .host import BaseSegDataset
from .host_options import (
    DEFAULT_PREFIX,
    check_host_options,
    check_prefix_keys,
    check_suffixes,
    folders_of,
)
from .lists import describe_missing, pairs_of_list
from .mask_rules import GENERAL_RULE, mask_rule
from .pairing import (
    Pairs,
    Suffixes,
    called_like_masks,
    misfits_of,
    pairs_of_stems,
    refusal,
    stems_of,
)
from .splits import SPLIT_DEFAULTS, check_split, indices_of_split

MOST_LOOKED_AT = 1000
"""Of so many pairs the bytes are compared at the start; of the others, when they are loaded."""


@DATASETS.register_module()
class ManipulationDataset(BaseSegDataset):
    """Images with masks of their tampered regions.

    Two layouts::

        data_root/images/**/a.jpg   data_root/masks/**/a.png      paired by path without suffix
        ann_file: lines ``image mask`` or ``image -``             relative to data_root

    In the first, an image without a mask is authentic, while a mask without an image, a file that
    is no mask among the masks, and a mask among the images are errors; without a mask folder
    (``data_prefix=dict(img_path=...)``) all are authentic. Hidden files are passed over. A list
    file may have any form that :mod:`mmomni.datasets.list_rows` reads: columns, CSV, JSON.

    A file that cannot be read never ends a run. It is named in the log; in training another
    sample takes its place, in testing its place is taken by the next readable sample, marked
    with ``unreadable`` in its meta data, which :class:`mmomni.ManipulationMetric` counts but does
    not score.

    Args:
        domain: Such as ``'natural'``, ``'scene_text'`` or a name of your own; results are averaged
            within domains.
        name: What tables call this set. Default: the last part of ``data_root``.
        held_out: So many images, evenly spaced over the list, are held out of training.
        split: ``'train'``: all but those; ``'held_out'``: those, to validate on.
        img_suffix: Images are the files whose names end so. With a list file: its lines are stems,
            as mmseg has them, to which this and ``seg_map_suffix`` (default ``'.png'``) are added
            in the folders of ``data_prefix``.
        seg_map_suffix: Masks are called as their images with this instead of ``img_suffix``.
        mask_channel: Of :data:`mmomni.datasets.mask_rules.CHANNELS`, what of a mask file counts.
        mask_ignore: A grey value, or a list of grey values and colours, of mask pixels that neither
            losses nor metrics count.
        **kwargs: Those of :class:`mmseg.datasets.BaseSegDataset`; what would have no effect is
            refused.
    """

    METAINFO: ClassVar[dict] = METAINFO

    def __init__(
        self,
        domain: str,
        name: str | None = None,
        data_prefix: dict | None = None,
        held_out: int = SPLIT_DEFAULTS['held_out'],
        split: str = SPLIT_DEFAULTS['split'],
        img_suffix: str | None = None,
        seg_map_suffix: str | None = None,
        mask_channel: str = GENERAL_RULE.channel,
        mask_ignore: int | Sequence | None = None,
        **kwargs: Any,
    ) -> None:
        check_split(split, held_out)
        self.held_out = held_out
        self.split = split
        self.domain = domain
        self.name = name or Path(kwargs.get('data_root') or '').name or domain
        self._named_unreadable: set[str] = set()
        check_host_options(self.name, kwargs)
        check_suffixes(self.name, kwargs.get('ann_file'), img_suffix, seg_map_suffix)
        self._suffixes = Suffixes(img_suffix, seg_map_suffix)
        self._mask_rule = mask_rule(mask_channel, mask_ignore)
        if img_suffix is None:
            check_prefix(self.name, kwargs.get('ann_file'), data_prefix)
        if data_prefix is None and (img_suffix is not None or not kwargs.get('ann_file')):
            data_prefix = dict(DEFAULT_PREFIX)
        check_prefix_keys(self.name, data_prefix)
        super().__init__(data_prefix=data_prefix or {}, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence | None = None) -> dict | None:
        """``None``: labels are never mapped. Raises ``ValueError`` for other classes."""
        classes = cls.METAINFO['classes']
        if new_classes is not None and tuple(new_classes) != classes:
            raise ValueError(f'masks have the classes {classes}, got {new_classes} in metainfo')
        return None

    def load_data_list(self) -> list[dict]:
        """Raises ``FileNotFoundError`` or ``ValueError`` naming what does not fit."""
        pairs = self._pairs()
        if not pairs:
            raise ValueError(f'{self.name}: no images found in {self.ann_file or self.data_prefix}')
        if misfits := list(misfits_of(pairs, MOST_LOOKED_AT)):
            raise refusal(self.name, misfits)
        if called := list(called_like_masks(stems_of(pairs))):
            print_log(
                f'{self.name}: {len(called)} listed images are called like masks, the first is '
                f'{called[0].file}: {called[0].message}; they are trained on as the list says',
                logger='current',
                level=logging.WARNING,
            )
        kept = indices_of_split(len(pairs), self.held_out, self.split, self.name)
        pairs = [pairs[index] for index in kept]
        self._name_missing(pairs)
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
        if self._mask_rule != GENERAL_RULE:
            shared['mask_rule'] = self._mask_rule
        return [
            dict(img_path=image, seg_map_path=mask, seg_fields=[], **shared)
            for image, mask in pairs
        ]

    def _pairs(self) -> Pairs:
        if self.ann_file and self._suffixes.image is not None:
            return self._pairs_of_stems()
        return self._pairs_of_list() if self.ann_file else self._pairs_of_folders()

    def _pairs_of_list(self) -> Pairs:
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(f'{self.name}: expected a list file at {path}, found none')
        found = pairs_of_list(path, self.data_root or '')
        for note in found.notes:
            print_log(f'{self.name}: {note}', logger='current')
        return [(pair.image, pair.mask) for pair in found.pairs]

    def _name_missing(self, pairs: Pairs) -> None:
        """Of a list file, what is not there; folders name what they hold."""
        if self.ann_file and (
            missing := describe_missing(Path(self.ann_file), self.data_root or '', pairs)
        ):
            print_log(f'{self.name}: {missing}', logger='current', level=logging.ERROR)

    def _pairs_of_stems(self) -> Pairs:
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(f'{self.name}: expected a list file at {path}, found none')
        lines = text_lines(read_text(path))
        return pairs_of_stems(lines, *folders_of(self.name, self.data_prefix), self._suffixes)

    def _pairs_of_folders(self) -> Pairs:
        found = pair_in_folders(*folders_of(self.name, self.data_prefix), self._suffixes)
        for left in found.left_out:
            level = logging.WARNING if left.images else logging.INFO
            message = f'{self.name}: left out of {left.folder}, as no samples: {left.kinds}'
            print_log(message, logger='current', level=level)
        if found.misfits:
            raise refusal(self.name, [*found.misfits, *misfits_of(found.pairs)])
        return found.pairs

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
