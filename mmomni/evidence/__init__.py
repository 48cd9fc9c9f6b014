"""What a file itself tells, without a network: its facts, and pictures that analysts know."""

from .sections import Fact, Section

__all__ = ['Fact', 'Section']
