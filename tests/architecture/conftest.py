"""What all tests of the room share."""

from collections.abc import Iterator

import pytest

from remembering import remember_searches


@pytest.fixture(autouse=True, scope="module")
def remembered() -> Iterator[None]:
    """Make each search once."""
    with pytest.MonkeyPatch.context() as patch:
        remember_searches(patch)
        yield
