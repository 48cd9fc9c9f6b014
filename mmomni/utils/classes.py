"""What the two labels of a pixel mean, as mmseg's data sets and checkpoints say it."""

METAINFO = dict(classes=('authentic', 'tampered'), palette=[[0, 0, 0], [255, 0, 0]])
"""Label 1, tampered, is drawn in red over an image."""
