"""PDFs by hand, of few objects, so that tests know each byte of them."""

import zlib


def stream(data, **entries):
    """An object with bytes; entries are written as they are: ``Width=40, Filter='/DCTDecode'``."""
    listed = ' '.join(f'/{key} {value}' for key, value in entries.items())
    return f'<< {listed} /Length {len(data)} >>\nstream\n'.encode() + data + b'\nendstream'


def image(data, size=(40, 40), colours='/DeviceRGB', **entries):
    """A picture as an object."""
    common = dict(Type='/XObject', Subtype='/Image', Width=size[0], Height=size[1])
    if colours:
        common['ColorSpace'] = colours
    return stream(data, **common, BitsPerComponent=8, **entries)


def jpeg_image(data, size=(40, 40), **entries):
    return image(data, size, **dict(dict(Filter='/DCTDecode'), **entries))


def flate_image(pixels, **entries):
    """``uint8`` (H, W, 3)."""
    size = pixels.shape[1], pixels.shape[0]
    return image(zlib.compress(pixels.tobytes()), size, Filter='/FlateDecode', **entries)


def pdf_file(objects=(), pages=((),), drawings=None):
    """A PDF.

    ``objects`` are numbered from 10; ``pages`` has for each page the numbers of its pictures or
    forms, ``drawings`` for some, by number from 1, its content.
    """
    numbers = range(1000, 1000 + 2 * len(pages), 2)
    found = dict(enumerate(objects, 10))
    found[1] = b'<< /Type /Catalog /Pages 2 0 R >>'
    kids = ' '.join(f'{number} 0 R' for number in numbers)
    found[2] = f'<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>'.encode()
    for page, (number, shown) in enumerate(zip(numbers, pages, strict=True), 1):
        entries = ' '.join(f'/Im{each} {each} 0 R' for each in shown)
        found[number] = (
            f'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents {number + 1} 0 R '
            f'/Resources << /XObject << {entries} >> >> >>'
        ).encode()
        found[number + 1] = stream((drawings or {}).get(page, b'q Q'))
    data, places = b'%PDF-1.7\n', {}
    for number, content in sorted(found.items()):
        places[number] = len(data)
        data += f'{number} 0 obj\n'.encode() + content + b'\nendobj\n'
    end, size = len(data), max(found) + 1
    rows = [f'{places[n]:010} 00000 n \n' if n in places else '0000000000 65535 f \n'
            for n in range(size)]  # fmt: skip
    table = f'xref\n0 {size}\n{"".join(rows)}trailer\n<< /Size {size} /Root 1 0 R >>\n'
    return data + f'{table}startxref\n{end}\n%%EOF\n'.encode()
