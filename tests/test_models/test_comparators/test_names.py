"""What all comparators have in common beside their contract."""

from mmomni.checkpoints.description import COMPARATORS
from mmomni.models import comparators
from mmomni.registry import MODELS

from .contract import CONFIGS


def test_their_types_may_be_published():
    """The list is in words, so that a checkpoint can be read without them."""
    assert {f'mmomni.{name}' for name in comparators.__all__} == COMPARATORS


def test_their_types_are_registered():
    assert all(MODELS.get(name) is getattr(comparators, name) for name in comparators.__all__)


def test_every_comparator_has_both_sizes_and_a_row_on_the_page():
    """Configs are called ``NAME_BODY_RECIPE.py``, by one name in both folders."""
    names, small = (
        {path.name.split('_')[0] for path in CONFIGS.joinpath(folder).glob('*.py')}
        for folder in ('.', 'lite')
    )
    assert small - {'omni-iml'} == names
    page = (CONFIGS.parents[1] / 'docs/comparators.md').read_text(encoding='utf-8')
    assert [name for name in sorted(names) if f'| `{name}_*` |' not in page] == []
