"""Polygons in degrees that cross the antimeridian are cut there (RFC 7946, section 3.1.9).

Rings as a projection gave them come in, with a jump of a full turn where they cross; polygons that each lie on one side
go out. It knows neither pixels nor projections, and needs no package for geometry.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

Position = tuple[float, float]
Ring = list[Position]
"""Open: the first position is not repeated at the end. Exterior rings run counterclockwise, holes clockwise."""

_HALF_TURN, _FULL_TURN = 180.0, 360.0


def unwrapped(points: Sequence[Position], start: float) -> Ring:
    """Positions without jumps of a full turn; they may then lie past 180 degrees.

    Args:
        points: longitude and latitude in degrees, finite.
        start: within half a turn of which the first one is moved.
    """
    ring: Ring = []
    before = start
    for longitude, latitude in points:
        before = longitude - _FULL_TURN * round((longitude - before) / _FULL_TURN)
        ring.append((before, latitude))
    return ring


def unwrapped_ring(points: Sequence[Position], start: float) -> Ring:
    """`unwrapped`; a ring around a pole, which ends a turn from where it began, goes by way of that pole."""
    ring = unwrapped(points, start)
    closed = unwrapped([*ring, ring[0]], start)
    turn = closed[-1][0] - ring[0][0]
    if turn == 0:
        return ring
    # From the antimeridian it goes to the pole and comes back: two parts may not have an edge in common elsewhere.
    edges = enumerate(pairwise(closed), start=1)
    place, meridian = next((place, crossed[0]) for place, edge in edges if (crossed := _crossed(edge)))
    _, y = _crossing(closed[place - 1], closed[place], meridian)
    pole = math.copysign(90.0, sum(latitude for _, latitude in ring))
    around = [*closed[place:-1], *((x + turn, latitude) for x, latitude in closed[:place])]
    return [(meridian, y), *around, (meridian + turn, y), (meridian + turn, pole), (meridian, pole)]


def cut_polygon(rings: Sequence[Ring]) -> list[list[Ring]]:
    """A polygon whose rings are unwrapped as polygons between -180 and 180 degrees.

    Args:
        rings: the exterior, counterclockwise, and its holes, clockwise, all within half a turn of each other.

    Returns:
        One polygon or several, each its exterior and its holes.
    """
    pieces = [list(rings)]
    for meridian in _crossed(rings[0]):
        pieces = [side for piece in pieces for side in _split(piece, meridian)]
    return [_brought_home(piece) for piece in pieces]


def turned(ring: Ring, *, clockwise: bool) -> Ring:
    """An open ring in the direction asked for."""
    return ring[::-1] if (_twice_area(ring) < 0) != clockwise else ring


def cut_line(points: Sequence[Position]) -> list[Ring]:
    """A line that is `unwrapped` as lines between -180 and 180 degrees; a single position is one, too."""
    parts: list[Ring] = [[points[0]]]
    for one, other in pairwise(points):
        for meridian in _crossed([one, other]):
            there = _crossing(one, other, meridian)
            parts[-1].append(there)
            parts.append([there])
        parts[-1].append(other)
    lines = [_without_repeats(part) for part in parts]
    return [_brought_home([line])[0] for line in lines if len(line) > 1] or [_brought_home([lines[0]])[0]]


def _crossed(points: Sequence[Position]) -> list[float]:
    """The antimeridians (..., -180, 180, ...) that positions lie on both sides of, in the order of first and last."""
    longitudes = [longitude for longitude, _ in points]
    low, high = min(longitudes), max(longitudes)
    meridian = _HALF_TURN + _FULL_TURN * math.floor((low + _HALF_TURN) / _FULL_TURN)
    found = [meridian + _FULL_TURN * turn for turn in range(math.ceil((high - low) / _FULL_TURN) + 1)]
    # One on the meridian lies east of it, as everywhere here.
    found = [one for one in found if low < one <= high]
    return found if longitudes[0] <= longitudes[-1] else found[::-1]


def _brought_home(rings: Sequence[Ring]) -> list[Ring]:
    """Rings that lie between two antimeridians, moved by whole turns to where degrees are counted."""
    middle = (min(x for x, _ in rings[0]) + max(x for x, _ in rings[0])) / 2
    turns = _FULL_TURN * round(middle / (_FULL_TURN))
    return [[(min(max(x - turns, -_HALF_TURN), _HALF_TURN), y) for x, y in ring] for ring in rings]


def _crossing(one: Position, other: Position, meridian: float) -> Position:
    share = (meridian - one[0]) / (other[0] - one[0])
    return meridian, one[1] + share * (other[1] - one[1])


def _split(rings: Sequence[Ring], meridian: float) -> list[list[Ring]]:
    """A polygon cut along a meridian.

    Each ring falls into chains on one side each. Along the meridian, the polygon lies between the first and the second
    place where a ring crosses it, the third and the fourth, and so on: there the chains of each side are joined.
    A vertex on the meridian counts as lying east of it, so that every crossing is one.
    """
    whole: list[list[Ring]] = [[], []]
    chains: list[list[Ring]] = [[], []]
    for ring in rings:
        for is_east, part, is_whole in _chains(ring, meridian):
            (whole if is_whole else chains)[is_east].append(part)
    sides = []
    for closed, open_chains in zip(whole, chains, strict=True):
        found = closed + _joined(open_chains)
        sides += _nested(found)
    return sides


def _chains(ring: Ring, meridian: float) -> Iterator[tuple[bool, Ring, bool]]:
    """Whether it lies east, the positions, and whether it is the whole ring; chains begin and end on the meridian."""
    is_east = [x >= meridian for x, _ in ring]
    if all(side == is_east[0] for side in is_east):
        yield is_east[0], list(ring), True
        return
    first = next(place for place in range(len(ring)) if is_east[place] != is_east[place - 1])
    order = [*range(first, len(ring)), *range(first)]
    chain = [_crossing(ring[first - 1], ring[first], meridian)]
    for place, following in pairwise([*order, first]):
        chain.append(ring[place])
        if is_east[place] != is_east[following]:
            there = _crossing(ring[place], ring[following], meridian)
            yield is_east[place], [*chain, there], False
            chain = [there]


def _joined(chains: Sequence[Ring]) -> list[Ring]:
    """Chains of one side, each joined at its end to the one that begins next to it along the meridian."""
    ends = sorted((chain[end][1], place, end) for place, chain in enumerate(chains) for end in (0, -1))
    following: dict[int, int] = {}
    while ends:
        _, one, one_end = ends.pop(0)
        # Where rings touch on the meridian several come at one latitude: the next of the other kind is its fellow.
        found = next(place for place, (_, _, end) in enumerate(ends) if end != one_end)
        _, other, _ = ends.pop(found)
        last, first = (one, other) if one_end == -1 else (other, one)
        following[last] = first
    rings = []
    while following:
        place = next(iter(following))
        ring: Ring = []
        while place in following:
            ring += chains[place]
            place = following.pop(place)
        rings.append(_without_spikes(ring))
    return rings


def _without_repeats(points: Ring) -> Ring:
    return [point for place, point in enumerate(points) if place == 0 or point != points[place - 1]]


def _without_spikes(ring: Ring) -> Ring:
    """A ring without the vertices between two on the same meridian: an edge along that may lead there and back."""
    kept: Ring = []
    for point in _without_repeats(ring):
        while len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept.pop()
        kept.append(point)
    while len(kept) > 2 and (kept[-2][0] == kept[-1][0] == kept[0][0] or kept[-1] == kept[0]):
        kept.pop()
    while len(kept) > 2 and kept[-1][0] == kept[0][0] == kept[1][0]:
        kept.pop(0)
    return kept


def _nested(rings: Sequence[Ring]) -> list[list[Ring]]:
    """Exterior rings, each with the holes that lie in it."""
    polygons = [[ring] for ring in rings if _twice_area(ring) > 0]
    for hole in rings:
        if _twice_area(hole) < 0 and polygons:
            # A hole may touch its exterior in a vertex, which then counts as neither inside nor outside.
            max(polygons, key=lambda polygon: sum(_is_inside(vertex, polygon[0]) for vertex in hole)).append(hole)
    return polygons


def _is_inside(position: Position, ring: Ring) -> bool:
    x, y = position
    crossed = 0
    for (x0, y0), (x1, y1) in pairwise([*ring, ring[0]]):
        crossed += (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return crossed % 2 == 1


def _twice_area(ring: Ring) -> float:
    # From the first position, so that large coordinates leave small areas their digits.
    x, y = ring[0]
    return sum((x0 - x) * (y1 - y) - (x1 - x) * (y0 - y) for (x0, y0), (x1, y1) in pairwise([*ring, ring[0]]))
