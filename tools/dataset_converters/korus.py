"""Realistic Tampering Dataset (Korus).

    <camera>/pristine/*.TIF              authentic
    <camera>/tampered-realistic/*.TIF    tampered
    <camera>/ground-truth/*.PNG          masks in three levels

Black is authentic, white is the forgery, grey is what else was changed to blend it in. Both are
tampered pixels here, as every value but 0 is.
"""

import argparse
from pathlib import Path

from mmomni.datasets.list_files import Converter, Counts, Found, images_in, pair, relative


def camera_and_name(path: Path) -> str:
    return f'{path.parents[1].name}/{path.stem}'


def find(root: Path, _: argparse.Namespace) -> dict[str, Found]:
    found = pair(
        root,
        images_in(root, '*/tampered-realistic/*'),
        images_in(root, '*/ground-truth/*'),
        camera_and_name,
        camera_and_name,
    )
    found.authentic = relative(images_in(root, '*/pristine/*'), root)
    return {'test': found}


CONVERTER = Converter(__doc__, find, {'test': Counts(220, 220)})

if __name__ == '__main__':
    CONVERTER.run()
