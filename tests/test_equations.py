"""The table of equations in ``docs/model.md`` points at the code, and counts its lines."""

import ast
import inspect
import io
import re
import tokenize
from pathlib import Path

import pytest
from mmseg.models.decode_heads.decode_head import BaseDecodeHead

from mmomni.models.decode_heads import DynamicWeightDecoder
from mmomni.models.layers import DynamicFilter

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(
    r'^\| (?P<equation>.+) \| \[`(?P<name>[\w.]+)`\]\((?P<path>[^#)]+)#L(?P<line>\d+)\) '
    r'\| (?P<lines>\d+) \|$',
    re.MULTILINE,
)
ROWS = list(ROW.finditer((ROOT / 'docs/model.md').read_text(encoding='utf-8')))
EQUATIONS = ('VPH', 'FPH', 'attention', 'gate', 'L_c', 'L_MG', 'AE', 'L_AE', 'DWF', 'DWD', 'L_DWD')


def definition(tree, name):
    """The class or function of a dotted name."""
    node = tree
    for part in name.split('.'):
        node = next(n for n in node.body if getattr(n, 'name', None) == part)
    return node


def lines_of_code(source, node):
    """Lines of a definition that hold code: no comments, no docstring."""
    if ast.get_docstring(node):
        doc = node.body[0]
        skipped = set(range(doc.lineno, doc.end_lineno + 1))
    else:
        skipped = set()
    layout = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }  # fmt: skip
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines & set(range(node.lineno, node.end_lineno + 1)) - skipped)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row['name'])
def test_rows_say_where_the_equation_is_and_how_long(row):
    path = (ROOT / 'docs' / row['path']).resolve()
    source = path.read_text(encoding='utf-8')
    node = definition(ast.parse(source), row['name'])
    found = (int(row['line']), int(row['lines']))
    assert found == (node.lineno, lines_of_code(source, node))


def test_choices_of_ours_are_those_of_the_code():
    """Where the paper names no number, the page names the one that the code has."""
    text = re.sub(r'\s+', ' ', (ROOT / 'docs/model.md').read_text(encoding='utf-8'))
    arguments = inspect.signature(DynamicWeightDecoder).parameters
    dropout = inspect.signature(BaseDecodeHead).parameters['dropout_ratio'].default
    assert f'`C` = {arguments["channels"].default} in the decoder' in text
    assert f"Dropout {dropout} before the decoder's last convolution" in text
    filters = DynamicFilter(8, 4, 2, dict(type='BN'))
    assert (filters.attention.out_features, len(filters.filters)) == (4, 4)
    assert 'four scalars per sample, one for each `W_i`' in text
    assert 'rounded to the nearest' in text
    assert 'hard in training' in text


@pytest.mark.parametrize('equation', EQUATIONS)
def test_every_equation_has_a_row(equation):
    pattern = re.compile(rf'(?<![\w_]){equation}(?![\w_])')
    assert any(pattern.search(row['equation']) for row in ROWS)
