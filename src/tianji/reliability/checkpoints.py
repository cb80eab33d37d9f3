"""Checkpoints: how long a save stops the training, when it is safe, and how long it takes to load, store by store.

Each time is bytes over a bandwidth. Source of the three stores: Moody et al. 2010, multi-level checkpoints in own memory, in a
partner's and on a shared file system.
"""

from __future__ import annotations

from dataclasses import dataclass

from tianji.hardware import Pool
from tianji.hardware.failure_profile import FailureProfile
from tianji.reliability.settings import Reliability
from tianji.units import Bytes, BytesPerSecond, Seconds


@dataclass(frozen=True, slots=True)
class Exposure:
    """What failures can hit: a job's chips and what they hold.

    ``state`` is the whole checkpoint, weights and optimizer once; ``share`` what the fullest chip contributes to it.
    ``model_chips`` hold one copy of the model: pp · max(tp · cp, ep · etp), as experts may be spread over data-parallel ranks.
    """

    pool: Pool
    chips: int
    model_chips: int
    step_time: Seconds
    state: Bytes
    share: Bytes


@dataclass(frozen=True, slots=True)
class Save:
    """A checkpoint to one store: it stops the training for ``stop``, is safe ``drain`` later, and loads in ``load``."""

    stop: Seconds
    drain: Seconds
    load: Seconds


def estimate_saves(settings: Reliability, profile: FailureProfile, exposure: Exposure) -> dict[str, Save]:
    """Return the save to each store that is in use.

    Host memory takes what the chip's host link carries. A peer's memory takes it over the tier that joins the nodes, while
    training goes on. Storage takes the whole state at the job's storage bandwidth, in which an asynchronous save stops the
    training only for the copy into host memory. A ``save_time`` of the settings stands for all of it::

        local     stop = share / host link
        peer      stop = copy into host memory, drain = share / the tier beyond the node
        storage   stop = copy (asynchronous) or state / storage bandwidth, drain = state / storage bandwidth

    Args:
        settings: Which stores are in use, and the user's own save time (s) and storage bandwidth (B/s).
        profile: Host link and storage bandwidth (B/s) where neither the chip nor the settings state them.
        exposure: The bytes of the state and of the fullest chip's share.

    Raises UnknownFigureError where a peer is in use and nobody published the tier's bandwidth.
    """
    copy = exposure.share / (exposure.pool.chip.host_bandwidth or profile.host_bandwidth).value
    saves: dict[str, Save] = {}
    if "local" in settings.stores:
        saves["local"] = Save(copy, 0.0, copy)
    if "peer" in settings.stores:
        send = exposure.share / peer_rate(exposure.pool)
        saves["peer"] = Save(copy, send, send + copy)
    write = exposure.state / (settings.storage_bandwidth or profile.storage_bandwidth.value)
    if settings.save_time is not None:
        saves["storage"] = Save(settings.save_time, 0.0, write)
    elif settings.asynchronous:
        saves["storage"] = Save(min(copy, write), write, write)
    else:
        saves["storage"] = Save(write, 0.0, write)
    return saves


def peer_rate(pool: Pool) -> BytesPerSecond:
    """Return what one chip sends to another node: the bandwidth of the first tier beyond the node.

    Raises UnknownFigureError when nobody published it.
    """
    for tier, span in zip(pool.tiers, pool.spans(), strict=True):
        if span > pool.node:
            return tier.rate(pool.name)
    return pool.tiers[-1].rate(pool.name)
