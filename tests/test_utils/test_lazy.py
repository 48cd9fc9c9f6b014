import sys

import pytest

from mmomni.utils.lazy import imported_when_asked


def test_a_home_is_imported_when_its_name_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / 'lazy_package').mkdir()
    (tmp_path / 'lazy_package/__init__.py').touch()
    (tmp_path / 'lazy_package/home.py').write_text('ANSWER = 42')
    monkeypatch.syspath_prepend(tmp_path)
    asked = imported_when_asked('lazy_package', dict(ANSWER='home', GONE='nowhere', NONE='home'))
    assert 'lazy_package.home' not in sys.modules
    assert asked('ANSWER') == 42
    with pytest.raises(AttributeError, match="module 'lazy_package' has no attribute 'OTHER'"):
        asked('OTHER')
    with pytest.raises(ModuleNotFoundError, match=r'lazy_package\.nowhere'):
        asked('GONE')
    with pytest.raises(AttributeError, match='NONE'):
        asked('NONE')
