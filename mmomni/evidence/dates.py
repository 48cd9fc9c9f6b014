"""The dates that a file gives, and whether they can all be true."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import combinations
from typing import Literal, NamedTuple

from .blocks import IptcRecords, iptc_texts
from .exif import Exif
from .sections import Fact
from .wording import NONE, shown
from .xmp import Xmp

Kind = Literal['taken', 'changed', 'utc']
FARTHEST_ZONE = timedelta(hours=14)
QUARTER = timedelta(minutes=15)
SLACK = timedelta(seconds=2)
"""Between two notes of one moment: FAT file systems count in steps of two seconds."""
LISTED_DISAGREEMENTS = 4
_MOMENT = re.compile(
    r'(\d{4})[-:](\d\d)[-:](\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?'
    r'\s*(Z|[+-]\d\d?:?\d\d)?'
)


class Dated(NamedTuple):
    """A date of a file.

    Attributes:
        term: Where it stands, and what it says.
        text: As it stands there.
        kind: Of when the picture was taken, of a change, or of the satellites (UTC).
        moment: Without a zone, as the clock on the spot showed it; ``None``: it is no date.
        has_time: Whether it is more than a day.
        zone: Where it names one.
    """

    term: str
    text: str
    kind: Kind
    moment: datetime | None
    has_time: bool = True
    zone: timezone | None = None

    @property
    def at(self) -> datetime:
        """The moment of one that has one."""
        assert self.moment is not None
        return self.moment


def dates_of(exif: Exif, xmp: Xmp, iptc: IptcRecords) -> list[Dated]:
    """All dates, those that are no date among them."""
    found: list[tuple[str, str, Kind]] = [
        ('EXIF, taken', exif.text('EXIF DateTimeOriginal'), 'taken'),
        ('EXIF, digitised', exif.text('EXIF DateTimeDigitized'), 'taken'),
        ('EXIF, changed', exif.text('Image DateTime'), 'changed'),
        ('GPS', _gps_moment(exif), 'utc'),
        ('XMP, created', xmp.text('xmp:CreateDate'), 'taken'),
        ('XMP, taken', xmp.text('exif:DateTimeOriginal'), 'taken'),
        ('XMP, Photoshop', xmp.text('photoshop:DateCreated'), 'taken'),
        ('XMP, changed', xmp.text('xmp:ModifyDate'), 'changed'),
        ('IPTC, created', _iptc_moment(iptc), 'taken'),
    ]
    offsets = {'EXIF, taken': 'OffsetTimeOriginal', 'EXIF, digitised': 'OffsetTimeDigitized',
               'EXIF, changed': 'OffsetTime'}  # fmt: skip
    return [
        _dated(term, text, kind, exif.text(f'EXIF {offsets[term]}') if term in offsets else '')
        for term, text, kind in found if text.strip(' :0')
    ]  # fmt: skip


def date_facts(dates: Sequence[Dated], modified: datetime | None = None) -> Iterator[Fact]:
    """The dates one by one, then whether they contradict each other."""
    if not dates:
        yield Fact('Dates', NONE, 'neither EXIF, XMP nor IPTC gives one')
        return
    for each in dates:
        note = 'no date that can be' if each.moment is None else ''
        yield Fact(f'Date ({each.term})', each.text, note)
    if later := _saved_later(dates):
        yield Fact('Saved after it was taken', later, 'by the dates of EXIF and XMP')
    wrong = list(disagreements(dates, modified))
    if wrong:
        more = len(wrong) - LISTED_DISAGREEMENTS
        rest = f'; {more} more' if more > 0 else ''
        note = '; '.join(wrong[:LISTED_DISAGREEMENTS]) + rest
        yield Fact('Dates against each other', 'they disagree', note)
    elif len(dates) > 1:
        note = 'anybody can write a date: agreement proves none of them'
        yield Fact('Dates against each other', 'they agree', note)


def disagreements(dates: Sequence[Dated], modified: datetime | None = None) -> Iterator[str]:
    """What cannot be true of dates at once, in words.

    Clocks without a zone may differ by whole quarters of an hour, up to 14 hours.
    """
    known = [each for each in dates if each.moment is not None]
    for one, other in combinations([each for each in known if each.kind == 'taken'], 2):
        if not _may_be_one(one, other):
            yield f'{one.term} and {other.term} are {_apart(one, other)} apart'
    taken = _first_taken(known)
    for each in known:
        if taken is not None and each.kind == 'changed' and _is_earlier(each, taken):
            yield f'{each.term} is {_apart(taken, each)} earlier than {taken.term}'
        if taken is not None and each.kind == 'utc' and not _may_be_one_day(taken, each):
            yield f'{taken.term} is {_apart(taken, each)} from {each.term}, the satellites'
        if modified is not None and each.at - modified.replace(tzinfo=None) > FARTHEST_ZONE:
            yield f'{each.term} lies after the date of the file itself'


def _saved_later(dates: Sequence[Dated]) -> str:
    """``'9 days (EXIF, changed)'``; empty for no change."""
    known = [each for each in dates if each.moment is not None]
    taken = _first_taken(known)
    if taken is None:
        return ''
    later = [
        each for each in known if each.kind == 'changed' and _is_saved_later(taken, each)
    ]
    return ', '.join(f'{_apart(taken, each)} ({each.term})' for each in later)


def _first_taken(known: Sequence[Dated]) -> Dated | None:
    return next((each for each in known if each.kind == 'taken'), None)


def _is_saved_later(taken: Dated, change: Dated) -> bool:
    return not _may_be_one(taken, change) and _between(taken, change) > timedelta()


def _is_earlier(change: Dated, taken: Dated) -> bool:
    """Whether a change lies before the picture was taken, whatever zones are not named."""
    if _may_be_one(taken, change) or _between(taken, change) > timedelta():
        return False
    return _have_one_clock(taken, change) or not _may_be_one_day(taken, change)


def _have_one_clock(one: Dated, other: Dated) -> bool:
    if one.zone is not None and other.zone is not None:
        return True
    return one.zone == other.zone and one.term.split(',')[0] == other.term.split(',')[0]


def _may_be_one_day(one: Dated, other: Dated) -> bool:
    """Whether clocks of two zones may show such dates at once."""
    if one.has_time and other.has_time:
        return _gap(one, other) <= FARTHEST_ZONE
    return abs(one.at.date() - other.at.date()) <= timedelta(days=1)


def _may_be_one(one: Dated, other: Dated) -> bool:
    if not (one.has_time and other.has_time):
        return _may_be_one_day(one, other)
    gap = _gap(one, other)
    if gap <= SLACK:
        return True
    # EXIF has one clock; others convert into their own zone.
    if one.term.startswith('EXIF') and other.term.startswith('EXIF'):
        return False
    past = gap % QUARTER
    return gap <= FARTHEST_ZONE + SLACK and min(past, QUARTER - past) <= SLACK


def _gap(one: Dated, other: Dated) -> timedelta:
    return abs(_between(one, other))


def _between(one: Dated, other: Dated) -> timedelta:
    """From the first to the second; of clocks, unless both name their zones."""
    if one.zone is not None and other.zone is not None:
        return other.at.replace(tzinfo=other.zone) - one.at.replace(tzinfo=one.zone)
    return other.at - one.at


def _apart(one: Dated, other: Dated) -> str:
    seconds = int(_gap(one, other).total_seconds())
    if seconds >= 2 * 86_400:
        return f'{seconds // 86_400:,} days'
    if seconds >= 3600:
        return f'{seconds // 3600} h {seconds % 3600 // 60} min'
    return f'{seconds // 60} min {seconds % 60} s' if seconds >= 60 else f'{seconds} s'


def _dated(term: str, text: str, kind: Kind, offset: str) -> Dated:
    found = _MOMENT.match(text.strip())
    shown_text = shown(f'{text} {offset}'.strip(), 60)
    if found is None:
        return Dated(term, shown_text, kind, None)
    zone = _zone(found[7] or offset)
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return Dated(term, shown_text, kind, None)
    return Dated(term, shown_text, kind, moment, found[4] is not None, zone)


def _zone(text: str) -> timezone | None:
    if text == 'Z':
        return timezone.utc
    found = re.fullmatch(r'([+-])(\d\d?):?(\d\d)', text.strip())
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > FARTHEST_ZONE // timedelta(minutes=1):
        return None
    return timezone(timedelta(minutes=minutes if found[1] == '+' else -minutes))


def _gps_moment(exif: Exif) -> str:
    day, time = exif.text('GPS GPSDate'), exif.numbers('GPS GPSTimeStamp')
    if not day:
        return ''
    if len(time) != 3 or not all(0 <= part < 61 for part in time):
        return day
    return f'{day} {int(time[0]):02}:{int(time[1]):02}:{int(time[2]):02} Z'


def _iptc_moment(iptc: IptcRecords) -> str:
    """``20230405`` and ``120000+0200`` as others write it."""
    day, time = (next(iter(iptc_texts(iptc, number)), '') for number in (55, 60))
    date = re.fullmatch(r'(\d{4})(\d\d)(\d\d)', day)
    if date is None:
        return day
    text = '-'.join(date.groups())
    clock = re.fullmatch(r'(\d\d)(\d\d)(\d\d)([+-]\d{4})?', time)
    return f'{text}T{clock[1]}:{clock[2]}:{clock[3]}{clock[4] or ""}' if clock else text
