"""Commands to points as they stand: a later one takes the place of an earlier one only at the points that it names."""

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.announcements import Issued, commands
from steunpunt.model import PointState


class Order(Struct, frozen=True):
    """One command in force. ``overruled``: the points that it named, or all, where a later one holds instead."""

    id: int
    state: PointState
    sites: tuple[int, ...]
    """Empty: all points."""
    overruled: frozenset[int]

    @property
    def holds_nowhere(self) -> bool:
        """Return whether later ones hold at every point that it named."""
        return bool(self.sites) and self.overruled.issuperset(self.sites)

    def holds_at(self, site: int) -> bool:
        """Return whether this is the command that holds at a point."""
        return (not self.sites or site in self.sites) and site not in self.overruled


def standing(connection: sa.Connection, now_ms: int) -> list[Order]:
    """Return the commands in force that are signed, the latest first."""
    return orders_of(commands(connection), now_ms)


def orders_of(issued: Sequence[Issued], now_ms: int) -> list[Order]:
    """Return those of ``issued`` that are signed and in force, the latest first."""
    held = [one for one in issued if one.serial is not None and one.in_force(now_ms)]
    held.sort(key=lambda one: (one.incarnation or 0, one.serial or 0), reverse=True)
    orders: list[Order] = []
    later: set[int] = set()
    for one in held:
        said = one.announcement
        if said.state is None:
            continue
        named = later & set(said.sites) if said.sites else later
        orders.append(Order(one.id, said.state, said.sites, frozenset(named)))
        later |= set(said.sites)
    return orders


def commanded(orders: Sequence[Order], site: int) -> PointState | None:
    """Return what a point was told to be; None: nothing."""
    return next((order.state for order in orders if order.holds_at(site)), None)
