"""The verbs of a pool under Ray, as ``tianji pool`` has them: :func:`up`, :func:`status`, :func:`down`."""

from tianji.api import pool_control
from tianji.api.door import python_door

__all__ = ["down", "status", "up"]

up = python_door(pool_control.up)
status = python_door(pool_control.status)
down = python_door(pool_control.down)
