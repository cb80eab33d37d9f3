"""The verbs of a model that config.json alone does not describe, as ``tianji model`` has them: :func:`trace`, :func:`tower`."""

from tianji.api import describing
from tianji.api.door import python_door

__all__ = ["tower", "trace"]

trace = python_door(describing.trace)
tower = python_door(describing.tower)
