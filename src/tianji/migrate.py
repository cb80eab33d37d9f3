"""The verbs of a move to Ascend, as ``tianji migrate`` has them: :func:`scan`, :func:`versions`, :func:`parity`.

>>> import tianji
>>> tianji.migrate.versions(to="atlas-900-a3-superpod", with_="vllm").fit
True
"""

from tianji.api import migrating
from tianji.api.door import python_door

__all__ = ["parity", "scan", "twin", "versions"]

scan = python_door(migrating.scan)
versions = python_door(migrating.versions)
parity = python_door(migrating.parity)
twin = python_door(migrating.twin)
