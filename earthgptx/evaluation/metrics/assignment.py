"""Pairing predictions with truths one to one, the best way there is: by most pairs, or by the largest sum.

Greedy pairing depends on the order in which equals come; these two do not. Sizes are those of one image, a few
dozen on either side. Nothing here knows what is paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class GrowingMatching:
    """The largest one-to-one pairing of the rows offered so far, kept the largest while rows are added.

    Source: augmenting paths (Kuhn 1955; Berge 1957).
    """

    def __init__(self) -> None:
        self._row_of_column: dict[int, int] = {}
        self._columns_of_row: list[Sequence[int]] = []

    def add(self, columns: Sequence[int]) -> bool:
        """Offers one more row, which may be paired with any of ``columns``; True where the pairing grows by one."""
        self._columns_of_row.append(columns)
        return self._place(len(self._columns_of_row) - 1, set())

    def _place(self, row: int, tried: set[int]) -> bool:
        for column in self._columns_of_row[row]:
            if column in tried:
                continue
            tried.add(column)
            holder = self._row_of_column.get(column)
            if holder is None or self._place(holder, tried):
                self._row_of_column[column] = row
                return True
        return False


def most_pairs(allowed: NDArray[np.bool_]) -> int:
    """The largest number of one-to-one pairs among those that a (rows, columns) array allows."""
    matching = GrowingMatching()
    return sum(matching.add(np.flatnonzero(row).tolist()) for row in allowed)


def largest_sum(gains: NDArray[np.float64]) -> float:
    """The largest sum of one-to-one paired gains; every row or every column is paired, whichever are fewer.

    Args:
        gains: (rows, columns), none negative.

    Source: the Hungarian method by shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987), in
    rows^2 x columns steps.
    """
    if gains.size == 0:
        return 0.0
    costs = -gains if gains.shape[0] <= gains.shape[1] else -gains.T
    num_rows, num_columns = costs.shape
    row_price, column_price = np.zeros(num_rows), np.zeros(num_columns)
    row_of_column = np.full(num_columns, -1)
    for start in range(num_rows):
        distance = np.full(num_columns, np.inf)
        came_from = np.full(num_columns, -1)
        is_settled = np.zeros(num_columns, dtype=bool)
        row, column, reached = start, -1, 0.0
        while row >= 0:
            # Reduced costs are never negative, so the nearest unsettled column is settled for good.
            through = reached + costs[row] - row_price[row] - column_price
            nearer = ~is_settled & (through < distance)
            distance[nearer], came_from[nearer] = through[nearer], column
            column = int(np.argmin(np.where(is_settled, np.inf, distance)))
            reached, is_settled[column] = float(distance[column]), True
            row = int(row_of_column[column])
        settled = np.flatnonzero(is_settled)
        slack = reached - distance[settled]
        column_price[settled] -= slack
        for place, gained in zip(settled.tolist(), slack.tolist(), strict=True):
            if row_of_column[place] >= 0:
                row_price[row_of_column[place]] += gained
        row_price[start] += reached
        while column >= 0:
            before = int(came_from[column])
            row_of_column[column] = row_of_column[before] if before >= 0 else start
            column = before
    return float(-costs[row_of_column[row_of_column >= 0], np.flatnonzero(row_of_column >= 0)].sum())
