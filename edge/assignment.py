"""Which of these belongs to which of those, at the least cost for all together."""

import numpy as np

from edge.arrays import F64


def assign(costs: F64, most: float) -> list[tuple[int, int]]:
    """Pairs (i, j) of rows and columns of `costs`, each in one pair at most, so that what the pairs cost and `most` for
    each row without one is least in total: the Hungarian method, with potentials (Kuhn 1955; Jonker, Volgenant 1987).

    costs: float64 [n, m], inf for what must not be. The pairs come by rows; of equal solutions always the same is told.
    """
    n, m = costs.shape
    if n == 0:
        return []
    # A column of its own for each row, to be left without a partner.
    wide = np.hstack([np.where(costs <= most, costs, np.inf), np.full((n, n), most)])
    potential, price = np.zeros(n), np.zeros(m + n + 1)
    holder = np.full(m + n + 1, -1)  # the row that has each column; the last column stands for the row being placed
    for row in range(n):
        column = m + n
        holder[column] = row
        slack, back = np.full(m + n, np.inf), np.full(m + n, m + n)
        used = np.zeros(m + n + 1, bool)
        while holder[column] >= 0:
            used[column] = True
            here = int(holder[column])
            free = ~used[:-1]
            reach = wide[here] - potential[here] - price[:-1]
            better = free & (reach < slack)
            slack[better], back[better] = reach[better], column
            following = int(np.where(free, slack, np.inf).argmin())
            step = float(slack[following])
            potential[holder[used]] += step
            price[used] -= step
            slack[free] -= step
            column = following
        while column != m + n:
            holder[column] = holder[back[column]]
            column = int(back[column])
        holder[m + n] = -1
    return sorted((int(holder[j]), j) for j in range(m) if holder[j] >= 0)
