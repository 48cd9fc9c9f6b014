"""Forging operations on portraits, and where the face of one is."""
