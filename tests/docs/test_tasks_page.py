"""The page on jobs beside pre-training has every measured run of one, with what is predicted for it today."""

from pathlib import Path

from docs.generators.tasks import PAGE, read_rows, write_page


def cells_of(page: str) -> dict[str, list[str]]:
    """Return the cells of each row of a table by its first one."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in page.splitlines() if line.startswith("| ")
    ]
    return {row[0]: row for row in rows}


def test_the_page_is_what_its_generator_writes() -> None:
    page, made = cells_of(Path(PAGE).read_text(encoding="utf-8")), cells_of(write_page())
    assert page.keys() == made.keys(), "run `python docs/generators/tasks.py`"
    rows, unread = read_rows()
    assert len(rows) > 40
    assert {row.id for row in rows} <= page.keys()
    text = Path(PAGE).read_text(encoding="utf-8")
    assert all(name in text for name, _ in unread)
    for row in rows:
        shown, today = page[row.id], made[row.id]
        assert shown[:6] == today[:6]
        assert abs(float(shown[6]) / float(today[6]) - 1) < 0.02, f"{row.id}: run `python docs/generators/tasks.py`"
