"""What became of every file of a run: examined, unreadable, or not an image.

Files are counted, not their pictures: one of five pages is one file.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmomni.jpeg import pdf
from mmomni.utils.file_kinds import kind_of
from mmomni.utils.files import counted_kinds

from .image_files import Survey


class Account(NamedTuple):
    """Of the files that a run was given, each in one of three places, if it was not stopped.

    Attributes:
        examined: Images that have results, of this run or an earlier one; of files with several
            pictures those of which all have.
        unreadable: The kinds of images that could not be examined, or not all of their pictures, of
            folders that could not be entered, and of inputs that do not exist.
        not_images: The kinds of other files.
        pending: How many files a run that was stopped did not come to.
        damaged: Those examined that have pixels other than the ones that were saved.
    """

    examined: int
    unreadable: Counter[str]
    not_images: Counter[str]
    pending: int = 0
    damaged: tuple[Path, ...] = ()

    def numbers(self) -> dict[str, Any]:
        """What ``account.json`` holds; ``files`` is the sum of the numbers behind it.

        ``pending`` is among them if a run was stopped. ``damaged``, the number of them, if any
        are, is a part of ``examined``.
        """
        known = self.examined + self.unreadable.total() + self.not_images.total()
        return dict(
            files=known + self.pending,
            examined=self.examined,
            unreadable=self.unreadable.total(),
            not_images=self.not_images.total(),
            **(dict(pending=self.pending) if self.pending else {}),
            **(dict(damaged=len(self.damaged)) if self.damaged else {}),
            unreadable_kinds=dict(self.unreadable.most_common()),
            not_image_kinds=dict(self.not_images.most_common()),
        )

    def text(self) -> str:
        """``'6 files: 3 examined, 1 unreadable (1 heic), 2 not images (2 pdf)'``."""
        numbers = self.numbers()
        unreadable, others = map(_in_brackets, (self.unreadable, self.not_images))
        return (
            f'{numbers["files"]} file{"" if numbers["files"] == 1 else "s"}: '
            f'{self.examined} examined{damaged_part(len(self.damaged))}, '
            f'{numbers["unreadable"]} unreadable{unreadable}, '
            f'{numbers["not_images"]} not images{others}'
            + (f', {self.pending} not reached' if self.pending else '')
        )


def account_of(
    survey: Survey,
    unreadable: Iterable[Path],
    pending: Iterable[Path] = (),
    records: Iterable[Mapping[str, Any]] = (),
) -> Account:
    """The account of a run that had results for all files of the survey but some.

    Args:
        survey: All files.
        unreadable: Those with failures.
        pending: Those that a run that was stopped did not come to, or not to all their pictures.
        records: What is known of those examined, and perhaps of others. Lines of earlier versions
            do not tell of damage.
    """
    failed_paths = set(unreadable)
    failed = Counter(kind_of(path).name for path in failed_paths)
    files = {file.path for file in survey.files}
    rest = set(pending) - failed_paths
    others = Counter(survey.others.values())
    examined = len(files) - failed.total() - len(rest)
    found = dict.fromkeys(Path(each['path']) for each in records if each.get('damage'))
    whole = files - failed_paths - rest
    damaged = tuple(path for path in found if path in whole)
    return Account(examined, failed, others, len(rest), damaged)


def damaged_part(number: int) -> str:
    """How many of the images of an account are damaged, behind their number."""
    return f' ({number:,} of them damaged)' if number else ''


def closed_pdfs_text(number: int) -> str:
    """That so many PDFs were not opened and what opens them; empty for none, or where it is there.

    They are not images then, though they may hold some.
    """
    return '' if not number or pdf.is_available() else f'{number:,} pdf not opened: {pdf.NEEDED}'


def copies(records: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Paths of files with the same bytes, one list for each content that several have."""
    paths: dict[str, dict[str, None]] = {}
    for record in records:  # a file has one of each of its pictures
        paths.setdefault(record['sha256'], {})[record['path']] = None
    return [list(each) for each in paths.values() if len(each) > 1]


def _in_brackets(kinds: Counter[str]) -> str:
    return f' ({counted_kinds(kinds.elements())})' if kinds else ''
