"""Who is in earshot of whom: by a drawn map, or by a drawn web of links."""

import math
import random
from collections.abc import Iterable, Mapping

from steunpunt.sim.air import Air, Link

SNR_AT_1_KM_DB = 0.0
"""27 dBm among houses: with LOSS_PER_DECADE_DB a LongFast link ends at some 3 km, and bare flooding over 30 sites loses
what Meshtasticator says it does (8 % at 186 packets an hour)."""
LOSS_PER_DECADE_DB = 35.0
RANGE_KM = 2.8
"""A distance over which LongFast works whatever the hills, most of the time."""
SHADOW_DB = 4.0
"""Standard deviation of what hills and houses add or take, per pair of sites."""
SENSITIVITY_DB = {7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0}
"""Lowest SNR that a LoRa receiver demodulates, by spreading factor (Semtech SX1262 data sheet)."""
_FADING_DB = 1.5
_AUDIBLE_LOSS_MAX = 0.95
_SNR_DB_MAX = 12.0

Place = tuple[float, float]


def link_over(distance_km: float, shadow_db: float, sensitivity_db: float) -> Link:
    """Return how one hears another over this distance; packets near the limit are lost more often."""
    snr_db = min(SNR_AT_1_KM_DB - LOSS_PER_DECADE_DB * math.log10(max(distance_km, 0.05)) + shadow_db, _SNR_DB_MAX)
    loss = 1 / (1 + math.exp(min((snr_db - sensitivity_db) / _FADING_DB * 2, 700)))
    return Link(loss=loss, snr_db=snr_db, audible=loss < _AUDIBLE_LOSS_MAX)


def spread_out(air: Air, places: Mapping[int, Place], rng: random.Random) -> None:
    """Set each pair's links by the distance between them; a hill is there in both directions."""
    air.set_usual_link(Link(audible=False))
    floor_db = SENSITIVITY_DB[air.modem.spreading_factor]
    names = list(places)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            link = link_over(math.dist(places[one], places[other]), rng.gauss(0, SHADOW_DB), floor_db)
            if link.audible:
                air.set_link(one, other, link)
                air.set_link(other, one, link)


def reachable(rng: random.Random, names: list[int], side_km: float) -> dict[int, Place]:
    """Return places such that each is within range of one nearer to the middle; the first one is in the middle."""
    half = side_km / 2
    places: dict[int, Place] = {names[0]: (0.0, 0.0)}
    for name in names[1:]:
        while True:
            place = (rng.uniform(-half, half), rng.uniform(-half, half))
            if any(math.dist(place, other) <= RANGE_KM for other in places.values()):
                places[name] = place
                break
    return places


def web(rng: random.Random, names: list[int], *, hops_max: int) -> list[tuple[int, int]]:
    """Return pairs in earshot: all are joined to the first one, over ``hops_max`` hops at most.

    Who is as many hops away hears each other. Two relays that do not would send into each other for ever: that is so in
    hills too (and on the map of a region it happens), but a small storm is not about it.
    """
    depth = {names[0]: 0}
    pairs = []
    for name in names[1:]:
        near = rng.choice([other for other in depth if depth[other] < hops_max])
        depth[name] = depth[near] + 1
        pairs.append((near, name))
        pairs += [(other, name) for other in depth if depth[other] == depth[name] and other != name]
    return pairs


def join(air: Air, pairs: Iterable[tuple[int, int]], loss: float, rng: random.Random) -> None:
    """Let exactly these pairs hear each other, each with an SNR of its own."""
    air.set_usual_link(Link(audible=False))
    for one, other in pairs:
        link = Link(loss=loss, snr_db=rng.uniform(-15, 10))
        air.set_link(one, other, link)
        air.set_link(other, one, link)
