"""Forging operations on writing in photographs, and finding it."""
