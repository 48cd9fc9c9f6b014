"""Look at DocTamper's LMDBs. They need no list files: mmomni.DocTamperDataset reads them.

    DocTamperV1-{TrainingSet,TestingSet,FCD,SCD}/data.mdb
    pks/<subset>_{75,80,85,90}.pk       the quality factors of the evaluation, from the repository

Compares the number of samples of every subset with the published one, looks whether the first and
the last sample are there, and whether the quality factors belong to the subset.
"""

import argparse
from pathlib import Path

from mmomni.datasets import DocTamperDataset, LMDBFiles
from mmomni.datasets.transforms.jpeg_schedule import read_factors

PUBLISHED = {
    'DocTamperV1-TrainingSet': 120_000,
    'DocTamperV1-TestingSet': 30_000,
    'DocTamperV1-FCD': 2_000,
    'DocTamperV1-SCD': 18_000,
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder of the subsets')
    root = parser.parse_args(argv).root
    subsets = [name for name in PUBLISHED if (root / name).is_dir()]
    if not subsets:
        raise SystemExit(f'error: none of {tuple(PUBLISHED)} in {root}')
    for name in subsets:
        try:
            check(root, name)
        except (OSError, ValueError) as error:
            raise SystemExit(f'error: {name}: {error}') from error


def check(root: Path, name: str) -> None:
    data = DocTamperDataset(data_root=str(root / name))
    count, published = len(data), PUBLISHED[name]
    verdict = 'as published' if count == published else f'DIFFERS from the published {published}'
    print(f'{name}: {count} tampered images, {verdict}')
    for index in (0, count - 1):
        sample = data.get_data_info(index)
        for key in ('img_path', 'seg_map_path'):
            LMDBFiles().get(sample[key])
    for path in sorted((root / 'pks').glob(f'{name}_*.pk')):
        records = read_factors(str(path))
        fits = 'fits' if len(records) == count else f'does NOT fit {count} images'
        print(f'  {path.name}: quality factors of {len(records)} images, {fits}')


if __name__ == '__main__':
    main()
