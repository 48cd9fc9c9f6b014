"""Omni-IML in OpenMMLab: localise tampering in photos, documents and faces."""

from .utils.needed import explain_missing, missing
from .version import __version__

explain_missing()
if 'mmengine' not in missing():
    from mmengine.config.utils import MODULE2PACKAGE

    # Without this entry mmengine cannot resolve `_base_ = ['mmomni::...']`.
    MODULE2PACKAGE.setdefault('mmomni', 'mmomni')

__all__ = ['__version__']
