import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmomni.synthesis import fonts
from mmomni.synthesis.scene import Word


@pytest.fixture(scope='session')
def written():
    """Print lines of words on flat paper; returns the image and its words.

    Each line is (y of the baseline, [(x, text), ...]).
    """

    def write(lines, size=(120, 240), paper=240, ink=30, font='DejaVuSans', height=16):
        canvas = Image.new('RGB', size[::-1], (paper,) * 3)
        draw, face, words = ImageDraw.Draw(canvas), fonts.load_font(font, height), []
        for baseline, line in lines:
            for x, text in line:
                draw.text((x, baseline), text, font=face, fill=(ink,) * 3, anchor='ls')
                x1, y1, x2, y2 = fonts.ink_box(text, face)
                box = (x + x1, baseline + y1, x + x2, baseline + y2)
                words.append(Word(box, text, face))
        return np.array(canvas), words

    return write
