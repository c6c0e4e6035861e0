"""Class names as they are used: which may be meant as one, and how evenly classes are filled.

In come counts of objects a class, out come remarks. Names that the class table knows, and names that differ in a digit
("t62", "t72"), are different on purpose.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from earthgptx.data.checks.report import Balance, LikeName

RARE = 0.05  # a name used at most this often as another, one letter away, is taken for its misspelling
UNBALANCED = 20.0  # objects of the most frequent class for one of the rarest
SHORTEST_NAME = 4  # letters; shorter words are one letter apart by nature, as "car" and "bar"

_SEPARATORS = re.compile(r"[\s_\-]+")


def like_names(source: str, counts: Mapping[str, int], known: Collection[str] = ()) -> list[LikeName]:
    """Pairs of names that may be one class.

    Two names are alike if nothing but capitals, separators or a plural s tells them apart, or if one letter
    does (wrong, missing, extra, or two swapped) and one of them is rare beside the other.

    The time is linear in the number of names: each is filed under itself with any one letter left out.

    Args:
        source: whose names these are.
        counts: objects a name.
        known: names of which it is known that they are meant as they are.

    Returns:
        The rarer name first, in alphabetical order.
    """
    found: dict[tuple[str, str], str] = {}
    filed: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        filed[_plain(name)].append(name)
    for names in filed.values():
        for name, other in _pairs(names, counts):
            found[name, other] = "capitals, separators or a plural s"
    filed.clear()
    for name in counts:
        for shorter in {name, *(name[:place] + name[place + 1 :] for place in range(len(name)))}:
            filed[shorter].append(name)
    for names in filed.values():
        for name, other in _pairs(names, counts):
            is_rare = counts[name] <= max(1, RARE * counts[other])
            if is_rare and (name, other) not in found and _is_one_slip(name, other):
                found[name, other] = "one letter"
    return [
        LikeName(source, name, counts[name], other, counts[other], difference)
        for (name, other), difference in sorted(found.items())
        if not (name in known and other in known)
    ]


def balance(source: str, counts: Mapping[str, int]) -> Balance:
    """The most frequent and the rarest of a source's classes, of which there is at least one."""
    names = sorted(counts, key=lambda name: (-counts[name], name))
    most, least = names[0], names[-1]
    return Balance(
        source=source,
        num_classes=len(counts),
        most=most,
        most_count=counts[most],
        least=least,
        least_count=counts[least],
        is_unbalanced=counts[most] > UNBALANCED * counts[least],
    )


def _plain(name: str) -> str:
    """The name without what people write one way or the other."""
    return _SEPARATORS.sub("", name.lower()).removesuffix("s")


def _pairs(names: Collection[str], counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Every two of the names, the rarer first."""
    ordered = sorted(names, key=lambda name: (counts[name], name))
    for place, name in enumerate(ordered):
        for other in ordered[place + 1 :]:
            yield name, other


def _is_one_slip(name: str, other: str) -> bool:
    """Whether one letter, and no digit, is wrong, missing, extra or in its neighbour's place."""
    if min(len(name), len(other)) < SHORTEST_NAME:
        return False
    start = 0
    while start < min(len(name), len(other)) and name[start] == other[start]:
        start += 1
    one, two = name[start:], other[start:]
    slips = (  # what is left of both behind the slip, and the letters it touched
        (one[1:], two[1:], one[:1] + two[:1]),  # one is wrong
        (one[1:], two, one[:1]),  # one is extra
        (one, two[1:], two[:1]),  # one is missing
        (one[:2][::-1] + one[2:], two, one[:2]),  # two are swapped
    )
    return any(left == right and not any(letter.isdigit() for letter in touched) for left, right, touched in slips)
