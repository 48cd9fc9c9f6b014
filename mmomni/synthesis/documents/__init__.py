"""Forging operations on documents, and what they need: pages, words, print, ink."""
