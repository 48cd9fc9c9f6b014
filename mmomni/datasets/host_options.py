"""Arguments of mmseg's ``BaseSegDataset`` that mean nothing here: refused, never ignored."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

IGNORED = 255
PREFIXES = ('img_path', 'seg_map_path')
DEFAULT_PREFIX = dict(img_path='images', seg_map_path='masks')
ARGUMENTS = (
    'domain', 'name', 'held_out', 'split', 'mask_channel', 'mask_ignore', 'ann_file', 'img_suffix',
    'seg_map_suffix', 'metainfo', 'data_root', 'data_prefix', 'filter_cfg', 'indices',
    'serialize_data', 'pipeline', 'test_mode', 'lazy_init', 'max_refetch', 'ignore_index',
    'reduce_zero_label', 'backend_args',
)  # fmt: skip
"""All arguments of our data sets, for those who read configs without importing the classes."""


def check_arguments(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what a data set of that ``name`` takes no argument for.

    Raises:
        ValueError: Some are unknown; the message names the closest that are not.
    """
    unknown = sorted(set(options) - {*ARGUMENTS, 'type', '_scope_'})
    if unknown:
        raise ValueError(f'{name}: {"; ".join(map(_unknown, unknown))}')


def _unknown(key: str) -> str:
    close = get_close_matches(key, ARGUMENTS, n=1)
    return f'there is no argument {key}{f", is it {close[0]}?" if close else ""}'


def check_host_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what a data set of that ``name`` would have to pass over.

    Raises:
        ValueError: An argument has a value that would change nothing, or the wrong thing.
    """
    for key, remedy in (
        ('reduce_zero_label', 'a mask has 0 for authentic, which counts; remove it'),
        ('filter_cfg', 'no sample is filtered; make a list of those you want (ann_file)'),
    ):
        if options.get(key):
            raise ValueError(f'{name}: {key}={options[key]!r} has no effect here: {remedy}')
    if options.get('ignore_index', IGNORED) != IGNORED:
        raise ValueError(
            f'{name}: the label that losses and metrics ignore is {IGNORED}, got ignore_index='
            f'{options["ignore_index"]!r}; mask_ignore names values of mask files that do not count'
        )
    backend = (options.get('backend_args') or {}).get('backend', 'local')
    if backend not in ('local', 'LocalBackend'):
        raise ValueError(
            f'{name}: folders and list files are read from the disk, got backend_args='
            f'{options["backend_args"]!r}; backend_args of mmomni.LoadOriginalImage and '
            'LoadManipulationMask say how images and masks are'
        )


def check_suffixes(
    name: str, ann_file: str | None, img_suffix: Any, seg_map_suffix: Any
) -> None:
    """Refuse endings of names that are none, or that a list of whole paths has no use for.

    Raises:
        ValueError: One is neither ``None`` nor a text that is not empty, or there is a list file
            and no ``img_suffix``.
    """
    for key, value in (('img_suffix', img_suffix), ('seg_map_suffix', seg_map_suffix)):
        if value is not None and not (isinstance(value, str) and value):
            raise ValueError(
                f"{name}: expected {key} to be the end of names, like '_gt.png', got {value!r}"
            )
    if ann_file and seg_map_suffix is not None and img_suffix is None:
        raise ValueError(
            f'{name}: seg_map_suffix={seg_map_suffix!r} has no effect on a list file of images and '
            'masks; if its lines are paths without suffix, give img_suffix too'
        )


def check_prefix_keys(name: str, data_prefix: Mapping[str, Any] | None) -> None:
    """Refuse folders that nothing is looked for in.

    Raises:
        ValueError: There is another key than those of :data:`PREFIXES`.
    """
    if unknown := sorted(set(data_prefix or {}) - set(PREFIXES)):
        raise ValueError(f'{name}: expected data_prefix to have {PREFIXES}, got {unknown} too')


def folders_of(name: str, data_prefix: Mapping[str, str | None]) -> tuple[str, str | None]:
    """The folder of images and that of masks, ``None`` where all are authentic.

    Raises:
        ValueError: There is none of images.
    """
    images, masks = (data_prefix.get(key) for key in PREFIXES)
    if images is None:
        raise ValueError(f'{name}: expected data_prefix to have img_path, got {dict(data_prefix)}')
    return images or '.', None if masks is None else masks or '.'
