"""Whether all things of a class are labelled in an image, without which "how many" and "all" have no sure answer.

In come an image and a class; what is asked about it is not known here.
"""

from __future__ import annotations

from earthgptx.data.datasets.class_names import may_be_called
from earthgptx.data.sample import ANYTHING, LabelledImage


def may_show_more(image: LabelledImage, label: str) -> bool:
    """Whether something that may be called so, or more generally, may be seen without being among the objects."""
    return any(gap == ANYTHING or may_be_called(gap, label) or may_be_called(label, gap) for gap in image.gaps)


def lists_all(image: LabelledImage, label: str) -> bool:
    """Whether the objects of this label are all that may be called so: none is missing, and no other is of its kind."""
    kinds = {item.label for item in image.objects} - {label}
    return not may_show_more(image, label) and not any(may_be_called(kind, label) for kind in kinds)
