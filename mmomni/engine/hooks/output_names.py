"""What the outputs of tested images are called."""

import os.path as osp
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import Any, NamedTuple


class ImageOfSet(NamedTuple):
    """An image of a set; its fields are those of the meta data that data sets of ours give."""

    domain: str
    dataset: str
    path: str


def image_of_set(info: Any) -> ImageOfSet:
    """Of the meta data of a prediction, or of an entry of a data set."""
    return ImageOfSet(
        info.get('domain', 'all'), info.get('dataset_name', 'dataset'), str(info['img_path'])
    )


def output_names(images: Iterable[ImageOfSet]) -> dict[ImageOfSet, str]:
    """A relative path without suffix for each image, ``domain/dataset/a``; no two are the same.

    ``a`` is the path below the folder that all images of the set lie in, with its own suffix where
    two would be the same (``a.jpg`` beside ``a.png``), and with a number where they still are.
    """
    groups: dict[tuple[str, str], list[ImageOfSet]] = defaultdict(list)
    for image in dict.fromkeys(images):
        groups[image.domain, image.dataset].append(image)
    names: dict[ImageOfSet, str] = {}
    used: set[str] = set()
    for image, wanted in chain.from_iterable(map(_names_of_set, groups.values())):
        name = wanted
        while name.casefold() in used:
            name = f'{name}_{len(names)}'
        used.add(name.casefold())
        names[image] = name
    return names


def names_of(dataset: Any) -> dict[ImageOfSet, str]:
    """:func:`output_names` of all images of a data set; none of one that is not mmengine's."""
    if not hasattr(dataset, 'get_data_info'):
        return {}
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return output_names(image_of_set(info) for info in infos)


def _names_of_set(images: list[ImageOfSet]) -> Iterator[tuple[ImageOfSet, str]]:
    paths = [osp.abspath(image.path) for image in images]
    root = osp.commonpath([osp.dirname(path) for path in paths])
    folder = PurePath(*(_as_folder(name) for name in images[0][:2]))
    stems: dict[str, int] = defaultdict(int)
    for path in paths:
        stems[osp.splitext(path)[0].casefold()] += 1
    for image, path in zip(images, paths, strict=True):
        stem = osp.splitext(path)[0]
        name = osp.relpath(stem if stems[stem.casefold()] == 1 else path, root)
        yield image, (folder / name).as_posix()


def _as_folder(name: str) -> str:
    return name.replace('/', '_').strip('.') or '_'
