"""From what a person names (configs, list files, folders) to sets of paired paths.

Reads as :class:`mmomni.ManipulationDataset` does, but where that refuses a set, this names every
reason and goes on.
"""

import os.path as osp
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmomni.datasets.configured import check_prefix, import_scope, sets_of, type_name, unknown_type
from mmomni.datasets.host_options import (
    ARGUMENTS,
    DEFAULT_PREFIX,
    check_arguments,
    check_host_options,
    check_prefix_keys,
    check_suffixes,
    folders_of,
)
from mmomni.datasets.mask_rules import GENERAL_RULE, mask_rule
from mmomni.datasets.pairing import (
    MASK_FOLDERS,
    Suffixes,
    called_like_masks,
    misfits_of,
    pairs_of_stems,
    stems_of,
)
from mmomni.datasets.splits import SPLIT_DEFAULTS, at_indices, indices_of_split
from mmomni.utils.file_kinds import untold_format
from mmomni.utils.files import is_image
from mmomni.utils.needed import demand_host, missing
from mmomni.utils.text import read_text, text_lines

from .pairing import pair_folders, pair_list, pair_tp_gt
from .records import DataSet

CONFIG_SUFFIXES = frozenset(('.py', '.json', '.yaml', '.yml'))
FOLDER_TYPES = ('ManipulationDataset',)
LMDB_TYPES = ('DocTamperDataset',)
SPLITS = ('train', 'val', 'test')
FILE_KEYS = (
    'type', 'data_root', 'ann_file', 'data_prefix', 'img_suffix', 'seg_map_suffix', 'held_out',
    'split', 'indices',
)  # fmt: skip
"""What of a set's config says which files it has."""
LABEL_KEYS = ('mask_channel', 'mask_ignore')
"""What of it says how its masks are read."""
UNKNOWN_DOMAIN = '-'


def open_sets(inputs: Sequence[str], test_inputs: Sequence[str] = ()) -> list[DataSet]:
    """All sets of some configs, list files and folders.

    Args:
        inputs: A config brings its splits; a list file or folder is a training set.
        test_inputs: List files or folders that are test sets.

    Raises:
        FileNotFoundError: An input does not exist.
        ValueError: There is nothing to check, or an input is of no use.
    """
    if not inputs and not test_inputs:
        raise ValueError('expected a config, a list file or a folder, got nothing to check')
    sets: list[DataSet] = []
    for split, paths in (('train', inputs), ('test', test_inputs)):
        for path in paths:
            sets += _open_input(Path(path), split)
    _make_names_unique(sets)
    return sets


def _open_input(path: Path, split: str) -> list[DataSet]:
    if not path.exists():
        raise FileNotFoundError(
            f'expected a config, a list file or a folder at {path}, found nothing; check the path'
        )
    if path.is_dir():
        return [_open_folder(path, split)]
    if is_config(path):
        return open_config(path)
    if is_image(path) or (not path.suffix and untold_format(path)):
        raise ValueError(f'{path} is a single image; give the folder or a list file that names it')
    name = f'{path.resolve().parent.name}/{path.name}'
    data_set = DataSet(name, UNKNOWN_DOMAIN, split, str(path))
    pair_list(data_set, str(path), str(path.parent))
    _name_misfits(data_set)
    return [data_set]


def is_config(path: Path) -> bool:
    """Whether an input is read as a config."""
    return path.suffix.lower() in CONFIG_SUFFIXES and not _is_json_list(path)


def _is_json_list(path: Path) -> bool:
    """Whether a JSON file is a list of images, where a config is an object."""
    try:
        return path.suffix.lower() == '.json' and read_text(path).lstrip().startswith('[')
    except (OSError, ValueError):
        return False


def _open_folder(path: Path, split: str) -> DataSet:
    data_set = DataSet(path.resolve().name, UNKNOWN_DOMAIN, split, str(path))
    has_images, has_masks = (path / 'images').is_dir(), (path / 'masks').is_dir()
    if has_masks and not has_images:
        raise ValueError(f'{path} has a folder masks/ but no images/; expected both')
    if not has_images and (path / 'Tp').is_dir() and (path / 'Gt').is_dir():
        pair_tp_gt(data_set, path)
        _name_misfits(data_set)
        return data_set
    images = path / 'images' if has_images else path
    pair_folders(data_set, str(images), str(path / 'masks') if has_masks else None)
    for other in sorted(path.iterdir()) if has_images and not has_masks else ():
        if other.is_dir() and other.name.lower() in MASK_FOLDERS:
            message = f'{other.name}/ lies beside images/, and masks/ is missing: is it the masks?'
            data_set.add('mask-unrecognised', str(other), message)
    _name_misfits(data_set)
    return data_set


# ---- configs -------------------------------------------------------------------------------


def open_config(path: Path) -> list[DataSet]:
    """The sets of a config's dataloaders; sets that validate and test alike are opened once.

    Raises:
        ValueError: It is no config, or has no dataloader.
    """
    if 'mmengine' in missing():
        demand_host()
    from mmengine.config import Config

    try:
        config = Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is a program and may raise anything
        raise ValueError(f'{path}: cannot be read as a config ({error})') from error
    import_scope(config)
    imports = bool(config.get('custom_imports'))
    described: dict[tuple[str, bool], tuple[dict, list[str]]] = {}
    for split in SPLITS:
        for leaf in sets_of(config, f'{split}_dataloader'):
            if 'type' not in leaf:
                continue
            files = {key: leaf.get(key, SPLIT_DEFAULTS.get(key)) for key in FILE_KEYS + LABEL_KEYS}
            files |= {key: leaf[key] for key in leaf if key not in ARGUMENTS}
            _, splits = described.setdefault((repr(files), split == 'train'), (leaf, []))
            if split not in splits:
                splits.append(split)
    if not described:
        raise ValueError(f'{path}: has no dataset in train_, val_ or test_dataloader')
    sets = described.values()
    return [_open_described(leaf, '/'.join(splits), imports) for leaf, splits in sets]


def _open_described(config: dict, split: str, imports: bool) -> DataSet:
    root, domain = config.get('data_root') or '', config.get('domain') or UNKNOWN_DOMAIN
    kind = type_name(config)
    name = config.get('name') or Path(root or (domain if domain != UNKNOWN_DOMAIN else kind)).name
    data_set = DataSet(name, domain, split, root or name)
    try:
        if kind not in FOLDER_TYPES + LMDB_TYPES or unknown_type(config):
            _name_type(data_set, config, imports)
            return data_set
        check_arguments(name, config)
        check_host_options(name, config)
        channel = config.get('mask_channel', GENERAL_RULE.channel)
        data_set.rule = mask_rule(channel, config.get('mask_ignore'))
        if kind in LMDB_TYPES:
            _pair_lmdb(data_set, root)
        else:
            _pair_files(data_set, config, root)
        _keep_split(data_set, config)
        _name_misfits(data_set)
    except (OSError, LookupError, ImportError, TypeError, ValueError) as error:
        data_set.add('set-missing', data_set.root, str(error))
    return data_set


def _name_type(data_set: DataSet, config: dict, imports: bool) -> None:
    """A set of somebody else's type is a note; a type that nobody knows an error.

    Where the config imports code, which nothing here runs, that may register any type.
    """
    unknown = unknown_type(config)
    if unknown and not imports:
        data_set.add('set-missing', data_set.root, unknown)
        return
    _, mark, similar = unknown.partition('; ')
    message = f'its type is {type_name(config)}{mark}{similar}'
    data_set.add('set-unchecked', data_set.root, message)


def _pair_files(data_set: DataSet, config: dict, root: str) -> None:
    """As the dataset does: list file or folders, with the endings of names that it is given."""
    ann_file, prefix = config.get('ann_file'), config.get('data_prefix')
    suffixes = Suffixes(config.get('img_suffix'), config.get('seg_map_suffix'))
    check_suffixes(data_set.name, ann_file, *suffixes)
    check_prefix_keys(data_set.name, prefix)
    if ann_file and suffixes.image is None:
        check_prefix(data_set.name, ann_file, prefix)
        pair_list(data_set, osp.join(root, ann_file), root)
        return
    prefix = DEFAULT_PREFIX if prefix is None else prefix
    joined = {key: osp.join(root, path) for key, path in prefix.items()}
    images, masks = folders_of(data_set.name, joined)
    if ann_file:
        lines = text_lines(read_text(Path(root, ann_file)))
        data_set.pairs = pairs_of_stems(lines, images, masks, suffixes)
        if not data_set.pairs:
            data_set.add('set-missing', osp.join(root, ann_file), 'the list file names no images')
    else:
        pair_folders(data_set, images, masks, suffixes)


def _keep_split(data_set: DataSet, config: dict) -> None:
    """Leave out what is held out of training, or all the rest; all, if it cannot be split."""
    pairs, data_set.pairs = data_set.pairs, []
    if pairs:
        given = {key: config.get(key, default) for key, default in SPLIT_DEFAULTS.items()}
        kept = indices_of_split(len(pairs), name=data_set.name, **given)
        kept = at_indices(kept, config.get('indices'))
        data_set.pairs = [pairs[index] for index in kept]


def _name_misfits(data_set: DataSet) -> None:
    """Take out of the pairs what is an image and a mask at once, and name it and its like."""
    misfits = list(misfits_of(data_set.pairs))
    for kind, file, message, _, related in misfits:
        data_set.add(kind, file, message, related)
    images = {related[0] if kind == 'mask-is-image' else file
              for kind, file, _, _, related in misfits}  # fmt: skip
    data_set.pairs = [pair for pair in data_set.pairs if pair[0] not in images]
    for kind, file, message, _, related in called_like_masks(stems_of(data_set.pairs)):
        data_set.add(kind, file, message, related, 'warning')  # a list means what it says


def _pair_lmdb(data_set: DataSet, root: str) -> None:
    from mmomni.datasets.lmdb_files import record_pairs, sample_count

    data_set.pairs = [*record_pairs(root, sample_count(root))]


def _make_names_unique(sets: Iterable[DataSet]) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for data_set in sets:
        seen[data_set.name, data_set.split] += 1
        count = seen[data_set.name, data_set.split]
        if count > 1:
            data_set.name = f'{data_set.name} ({count})'
            data_set.findings = [f._replace(dataset=data_set.name) for f in data_set.findings]
