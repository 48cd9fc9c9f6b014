"""Omni-IML in OpenMMLab: localise tampering in photos, documents and faces."""

from mmengine.config.utils import MODULE2PACKAGE

from .version import __version__

# Without this entry mmengine cannot resolve `_base_ = ['mmomni::...']`.
MODULE2PACKAGE.setdefault('mmomni', 'mmomni')

__all__ = ['__version__']
