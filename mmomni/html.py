"""What the HTML reports have in common: each is one file that loads nothing from anywhere."""

import base64

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th { font-weight: 600; white-space: nowrap; }
th.word, td.word { text-align: left; }
.files { font-size: .85rem; overflow-wrap: anywhere; } .files li { margin: .15rem 0; }
summary { cursor: pointer; color: #246; }
code { background: #f0f0f0; padding: 0 .2rem; border-radius: 2px; }
"""


def printable(text: str) -> str:
    """File names may hold control characters and broken encodings: escape them."""
    return ''.join(
        c if c.isprintable() else c.encode('unicode_escape').decode('ascii') for c in text
    )


def data_uri(jpeg: bytes) -> str:
    """A JPEG as the ``src`` of an ``img``."""
    return 'data:image/jpeg;base64,' + base64.b64encode(jpeg).decode('ascii')
