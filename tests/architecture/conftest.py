"""What all tests of the room share."""

import pytest

from remembering import remember_searches


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each search once."""
    remember_searches(monkeypatch)
