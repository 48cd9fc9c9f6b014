"""What a config says about its data sets, before any of them is built."""

import copy
import os.path as osp
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .host_options import check_arguments

if TYPE_CHECKING:
    from mmengine.config import Config

DEFAULT_IMAGES = 'images'
OUR_DATASETS = ('ManipulationDataset', 'DocTamperDataset')
WRAPPED = ('dataset', 'datasets')
"""Keys by which wrappers name the sets in them."""
OWN_DATA = (
    'images of your own: a set has images/ and, paired by name, masks/ below data_root; other '
    'folders are named by data_prefix=dict(img_path=..., seg_map_path=...), endings of names by '
    'img_suffix and seg_map_suffix, a list file by ann_file (docs/data.md)'
)


class AbsentSet(NamedTuple):
    """A set of the config that is not on this machine, and the file or folder looked for."""

    domain: str
    name: str
    expected: str


def drop_absent_sets(cfg: 'Config', optional: Collection[tuple[str, str]]) -> list[AbsentSet]:
    """Take those test sets out of ``cfg`` that may be absent and are; return them.

    A set is absent if its list file, image folder or LMDB does not exist, or a file that its
    pipeline needs (DocTamper's quality factors). Sets that are not ``optional`` stay, so that
    building them ends with their own message: a misspelt path of one's own data is an error, never
    a gap. ``optional`` holds ``(domain, name)``.

    Raises:
        FileNotFoundError: Not one test set is there.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    if _is_single(dataset):  # which has nothing beside it to test instead
        return []
    sets = list(innermost(dataset))
    dropped = [_absent(entry)[0] for entry in sets if _may_be_dropped(entry, optional)]
    if len(dropped) == len(sets):
        lines = ['not one of the test sets is there:', *_lines(dropped)]
        raise FileNotFoundError('\n  '.join(lines))
    if dropped:
        keep_sets(dataset, lambda entry: not _may_be_dropped(entry, optional))
    return dropped


def _is_single(dataset: dict) -> bool:
    """Whether no list of sets is anywhere in it, but wrappers of one at most."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return 'datasets' not in dataset


def _may_be_dropped(entry: dict, optional: Collection[tuple[str, str]]) -> bool:
    return _key(entry) in optional and bool(_absent(entry))


def demand_known(cfg: 'Config', *splits: str) -> None:
    """Name every set of some splits whose type, or an argument of it, is not known.

    Raises:
        ValueError: There are such sets. Arguments of other packages' sets are not looked at.
    """
    import_scope(cfg)
    entries = [(split, each) for split in splits for each in sets_of(cfg, f'{split}_dataloader')]
    lines = [f'{split}_dataloader: {fault}' for split, each in entries if (fault := _fault(each))]
    if lines:
        raise ValueError('\n  '.join(dict.fromkeys(lines)))


def _fault(entry: dict) -> str:
    if (unknown := unknown_type(entry)) or type_name(entry) not in OUR_DATASETS:
        return unknown
    try:
        check_arguments(_key(entry)[1], entry)
    except ValueError as error:
        return str(error)
    return ''


def import_scope(cfg: Mapping) -> None:
    """Let the default scope of a config join the registries, in which its types are looked for."""
    scope = cfg.get('default_scope')
    if isinstance(scope, str) and scope not in ('mmomni', 'mmseg', 'mmengine'):
        with suppress(ImportError):
            import_module(f'{scope}.registry')


def unknown_type(entry: dict) -> str:
    """Says that the type of a set is in no registry, and which may be meant; empty if it is."""
    kind = entry.get('type')
    if not isinstance(kind, str) or kind.removeprefix('mmomni.') in OUR_DATASETS:
        return ''
    from mmengine.registry import DATASETS

    from mmomni.datasets import host  # noqa: F401  (mmseg's sets are imported without a word)
    from mmomni.registry import is_registered, similar_type

    if is_registered(DATASETS, kind):
        return ''
    return f'the dataset type {kind} is in no registry{similar_type(DATASETS, kind)}'


def demand_sets(cfg: 'Config') -> None:
    """Name every set to train or validate on that is not on this machine, before one is built.

    Raises:
        FileNotFoundError: Some are absent. Sets of other packages are not looked at.
    """
    lines: list[str] = []
    named: set[AbsentSet] = set()  # images to validate on may be held out of a training set
    for split, kind in (('train', 'training'), ('val', 'validation')):
        entries = sets_of(cfg, f'{split}_dataloader')
        ours = [entry for entry in entries if type_name(entry) in OUR_DATASETS]
        absent = [each for entry in ours for each in _absent(entry) if each not in named]
        named.update(absent)
        if absent:
            lines += [f'{len(absent)} of {len(entries)} {kind} sets are absent:', *_lines(absent)]
    if lines:
        raise FileNotFoundError('\n  '.join([*lines, OWN_DATA]))


def describe_absent(absent: Collection[AbsentSet], total: int) -> str:
    """The lines that name absent sets, at least one, of all test sets to a person."""
    return '\n  '.join([f'{len(absent)} of {total} test sets left out:', *_lines(absent)])


def check_prefix(name: str, ann_file: str | None, data_prefix: dict | None) -> None:
    """Refuse folders beside a list file, which has paths of its own.

    Raises:
        ValueError: A set of that ``name`` has both.
    """
    if ann_file and data_prefix is not None:
        raise ValueError(
            f'{name}: paths of a list file (ann_file) are relative to data_root; remove '
            f'data_prefix={data_prefix}'
        )


def inputs_of_sets(cfg: 'Config') -> dict[tuple[str, str], str]:
    """How the pixels of every test set reach the network, read from its pipeline.

    ``'native'``, or ``'resized 512x512'`` (width x height) and the like; and whether the mean of
    several views is predicted.
    """
    entries = sets_of(cfg, 'test_dataloader')
    return {_key(entry): _test_input(entry.get('pipeline') or []) for entry in entries}


def sets_of(cfg: Mapping, loader: str) -> list[dict]:
    """The entries of a loader's data sets; one empty entry where the loader says nothing."""
    return list(innermost(pass_on_pipeline((cfg.get(loader) or {}).get('dataset') or {})))


def pass_on_pipeline(entry: Any, pipeline: Any = None) -> Any:
    """The entry of a data set, where a wrapper's pipeline is that of all in it that name none.

    Entries that change are copies.
    """
    if not isinstance(entry, dict):
        return entry
    pipeline = entry.get('pipeline') or pipeline
    wrapped = [key for key in WRAPPED if key in entry]
    if not pipeline or (not wrapped and 'pipeline' in entry):
        return entry
    passed = copy.copy(entry)
    if not wrapped:
        passed['pipeline'] = pipeline
    for key in wrapped:
        inner = entry[key]
        several = isinstance(inner, list | tuple)
        each = [pass_on_pipeline(one, pipeline) for one in (inner if several else [inner])]
        passed[key] = each if several else each[0]
    return passed


def seen_in_views(entry: Any, views: dict) -> Any:
    """A copy of the entry of data sets with ``TestTimeAug`` as last step of every pipeline."""
    if not isinstance(entry, dict):
        return entry
    entry = copy.deepcopy(entry)
    for each in innermost(entry):
        each['pipeline'] = [*each['pipeline'][:-1], views]
    return entry


def innermost(entry: Any) -> Iterator[dict]:
    """The entries of data sets that wrap no others, wherever wrappers nest them.

    What is no entry is left to whoever builds the sets.
    """
    if isinstance(entry, (list, tuple)):
        for each in entry:
            yield from innermost(each)
    elif isinstance(entry, dict):
        if inner := [entry[key] for key in WRAPPED if key in entry]:
            yield from innermost(inner)
        else:
            yield entry


def keep_sets(entry: dict, wanted: Callable[[dict], bool]) -> None:
    """Leave the wanted ones alone of the sets that an entry wraps; changes it in place."""
    for key in WRAPPED:
        inner = entry.get(key, ())
        if isinstance(inner, dict):
            keep_sets(inner, wanted)
        elif inner:
            entry[key] = [each for each in inner if any(map(wanted, innermost(each)))]
            for each in entry[key]:
                keep_sets(each, wanted)


def type_name(entry: dict) -> str:
    """The name of the class of a dataset, transform or hook, given as a string or as itself."""
    kind = entry.get('type', '')
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def _key(entry: dict) -> tuple[str, str]:
    """Domain and name of a set, what is not given filled in as the classes of sets do."""
    document = type_name(entry) == 'DocTamperDataset'
    domain = entry.get('domain') or ('document' if document else 'all')
    return domain, entry.get('name') or Path(entry.get('data_root') or domain).name


def _absent(entry: dict) -> list[AbsentSet]:
    """What a set lacks on this machine, each of its files."""
    return [AbsentSet(*_key(entry), path) for path in _needed_files(entry) if not osp.exists(path)]


def _needed_files(entry: dict) -> Iterator[str]:
    root = entry.get('data_root') or ''
    if type_name(entry) == 'DocTamperDataset':
        yield osp.join(root, 'data.mdb')
    elif entry.get('ann_file'):
        yield osp.join(root, entry['ann_file'])
    else:
        prefix = entry.get('data_prefix') or {}
        yield osp.join(root, prefix.get('img_path', DEFAULT_IMAGES))
    for transform in entry.get('pipeline') or []:
        if transform.get('factors'):
            yield transform['factors']


def _lines(absent: Collection[AbsentSet]) -> list[str]:
    named = [
        f'{each.domain}/{each.name}: expected {each.expected}{tp_gt(osp.dirname(each.expected))}'
        for each in absent
    ]
    remedy = (
        'sets of the paper: docs/datasets.md says where each is asked for and which command '
        'prepares it'
    )
    return [*named, remedy]


def tp_gt(folder: str) -> str:
    """What to do with a folder of CASIA's kind, as the end of a sentence; else empty."""
    if not all(osp.isdir(osp.join(folder, part)) for part in ('Tp', 'Gt')):
        return ''
    return (
        f'; there are Tp/ and Gt/: `python tools/dataset_converters/tp_gt.py {folder}` writes '
        'train.txt, to be named in ann_file'
    )


def _test_input(pipeline: list[dict]) -> str:
    views = any(type_name(step) == 'TestTimeAug' for step in pipeline)
    return _size_of_input(pipeline) + (', mean of several views' if views else '')


def _size_of_input(pipeline: list[dict]) -> str:
    resizes = [step for step in pipeline if 'Resize' in type_name(step)]
    if not resizes:
        return 'native'
    last = resizes[-1]
    scale = last.get('scale')
    if type_name(last) != 'Resize' or scale is None:
        return f'resized by {last.get("scale_factor", type_name(last))}'
    width, height = (scale, scale) if isinstance(scale, int) else scale
    return f'resized {width}x{height}' + (' at most, ratio kept' if last.get('keep_ratio') else '')
