"""Forging operations on photos, and what they need: outlines, inpainting, light."""
