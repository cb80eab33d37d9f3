"""No module imports one that imports it, not even for a type: imports under TYPE_CHECKING and inside functions count."""

import grimp
import pytest


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    graph = grimp.build_graph("tianji", cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """A circle of modules, or none."""
    done: set[str] = set()
    path: list[str] = []

    def follow(module: str) -> list[str]:
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return []
        path.append(module)
        circle = next(filter(None, map(follow, sorted(arrows.get(module, ())))), [])
        if not circle:
            path.pop()
            done.add(module)
        return circle

    return next(filter(None, map(follow, sorted(arrows))), [])


def test_no_module_imports_one_that_imports_it(arrows: dict[str, set[str]]) -> None:
    assert find_circle(arrows) == []


def test_a_circle_is_seen() -> None:
    assert find_circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d"]
