"""A view as text for a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tianji.report.view import (
    Block,
    Cell,
    Facts,
    Highlight,
    Number,
    Publications,
    View,
    ViewColumn,
    ViewSection,
    ViewTable,
)

GAP = 2
"""Columns of the terminal between two of a table."""
BAR = (8, 40)
"""Columns of the longest bar: without room for the fewest there is none."""
LABEL = 30
"""Columns of the longest label; a longer one goes on below."""
NOTE = 12
"""Columns that a note beside a number should have."""
WORDY = 18
"""Columns that a long text should have."""
LONGEST, TIGHTEST = 36, 12
"""Columns from which on a word is folded, and where a column would have to go for it."""
_FULL, _PARTS = "█", " ▏▎▍▌▋▊▉"


def bar(share: float, width: int) -> str:
    """Return a bar that fills a share of a width.

    >>> bar(0.5, 4)
    '██'
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return (_FULL * whole + _PARTS[rest]).rstrip() if eighths else ""


def print_view(console: Console, view: View, *, every_row: bool = False) -> None:
    """Print a view: what was asked, the answer in a few numbers, then its sections. ``every_row`` thins no table."""
    for place, part in enumerate(_parts(view, console.width, every_row)):
        if place:
            console.print()
        console.print(part)


def _parts(view: View, width: int, every_row: bool) -> Iterator[RenderableType]:
    asked = [labelled(view.asked.rows)] if view.asked.rows else []
    bottom = [Text(line, style="bold") for line in view.bottom]
    yield Group(Text(view.title, style="bold"), *(bottom or asked))
    if bottom and asked:
        yield Group(*asked)
    if view.lead:
        yield Group(*map(Text, view.lead))
    if view.highlights:
        yield _highlights(view.highlights, width)
    for section in view.sections:
        blocks = [] if section.is_detail else list(_blocks(section, width, every_row))
        if blocks:
            yield Group(Text(section.title, style="bold"), *blocks)


def _blocks(section: ViewSection, width: int, every_row: bool) -> Iterator[RenderableType]:
    """Yield the blocks of a section; a chart is not drawn, as the table beside it says the same."""
    is_first = True
    for block in section.blocks:
        if shown := _block(block, width, every_row):
            if isinstance(block, ViewTable) and not is_first:
                yield Text()
            yield shown
            is_first = False


def _highlights(highlights: Sequence[Highlight], width: int) -> Table:
    """Return the few numbers with their notes; labels go on a second line where they leave no room for a note."""
    widest = max(len(h.label) for h in highlights) + max(len(h.number.words) for h in highlights)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold cyan", no_wrap=widest + 2 * GAP + NOTE <= width, overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for highlight in highlights:
        table.add_row(Text(highlight.label), Text(highlight.number.words, style="bold"), Text(highlight.note))
    return table


def _block(block: Block, width: int, every_row: bool) -> RenderableType | None:
    if isinstance(block, str):
        return Text(block)
    if isinstance(block, ViewTable):
        return draw_table(block, width, every_row)
    if isinstance(block, Facts):
        return labelled(block.rows)
    if isinstance(block, Publications):
        return labelled((key, f"{title} ({kind}) {url}".strip()) for key, title, url, kind in block.rows)
    return None


@dataclass(frozen=True, slots=True)
class _Shape:
    """How wide a column is: in one line; with ranges below their numbers and texts wrapped; with a word in a line."""

    natural: int
    comfort: int
    least: int
    is_number: bool

    def folded(self) -> _Shape:
        """Return the shape of a column of texts whose words are folded, however long they are."""
        return _Shape(self.natural, min(self.comfort, WORDY), min(self.least, TIGHTEST), self.is_number)


def draw_table(table: ViewTable, width: int, every_row: bool = False) -> RenderableType:
    """Return a table that fits a width: ranges go below their numbers, then columns go on in a table below.

    What says which row it is stands in each of these.
    """
    rows = shown_rows(table, every_row)
    keys, left = list(range(table.keys)), list(range(len(table.columns)))
    drawn: list[RenderableType] = []
    while left:
        places, shapes = _choose(table, left, rows, width)
        lost = [place for place in left if place not in places]
        if drawn:
            drawn.append(Text())
        drawn.append(_draw(table, rows, places, shapes, width, is_first=not drawn))
        if lost and not set(places) - set(keys):
            drawn.append(Text(f"no room for: {', '.join(table.columns[place].title for place in lost)}", style="dim"))
            break
        left = [*keys, *lost] if lost else []
    thinned = f"{len(rows):,} of {len(table.rows):,} rows; --html and --csv have all"
    notes = [*([thinned] if len(rows) < len(table.rows) else []), *([table.note] if table.note else [])]
    every = [*drawn, *(Text(note, style="dim") for note in notes)]
    return every[0] if len(every) == 1 else Group(*every)


def _choose(table: ViewTable, left: list[int], rows: list[int], width: int) -> tuple[list[int], dict[int, _Shape]]:
    """Return the columns that there is room for of those that are left, and the shapes of all these."""
    shapes = {place: _shape(table.columns[place], [table.rows[row][place] for row in rows]) for place in left}
    places = _fitting(table, shapes, width)
    if len(places) < sum(not table.columns[place].rank for place in left):  # a column that stays at any width went
        shapes = {place: shape if shape.is_number else shape.folded() for place, shape in shapes.items()}
        places = _fitting(table, shapes, width)
    return places, shapes


def _draw(
    table: ViewTable, rows: list[int], places: list[int], shapes: Mapping[int, _Shape], width: int, *, is_first: bool
) -> Table:
    """Return some columns of a table, its bars beside the first ones."""
    room = _bar_room(width, [shapes[place] for place in places])
    has_bars = is_first and table.bar is not None and room >= BAR[0]
    left = width - GAP - room if has_bars else width
    is_split = _width(shapes[place].natural for place in places) > left
    is_tight = _width(shapes[place].comfort for place in places) > left
    # Left to itself, rich wraps a last column at one letter more than it has room for.
    widths = _divide(left, [shapes[place] for place in places], is_tight) if is_split else [None] * len(places)
    drawn = plain_table(table.title if is_first else "")
    for place, fixed in zip(places, widths, strict=True):
        shape = shapes[place]
        drawn.add_column(
            Text(table.columns[place].title), justify="right" if shape.is_number else "left", no_wrap=shape.is_number,
            width=fixed, overflow="fold",
        )  # fmt: skip
    if has_bars:
        drawn.add_column("", no_wrap=True, min_width=room)
    for row in rows:
        if table.has_total and row == len(table.rows) - 1:
            drawn.add_section()
        cells = [Text(_text(table.rows[row][place], is_split)) for place in places]
        drawn.add_row(*cells, *([_bar(table, row, room)] if has_bars else []), style=_style(table, row))
    return drawn


def _fitting(table: ViewTable, shapes: Mapping[int, _Shape], width: int) -> list[int]:
    """Return the places of the columns that there is room for; half a number would be another number."""
    places = list(shapes)
    while _width(shapes[place].comfort for place in places) > width and any(table.columns[p].rank for p in places):
        places.remove(max(places, key=lambda place: table.columns[place].rank))
    while _width(shapes[place].least for place in places) > width and len(places) > 1:
        places.pop()
    return places


def _divide(width: int, shapes: list[_Shape], is_tight: bool) -> list[int | None]:
    """Return the widths of columns that are narrower than they would like: what each needs, and to texts what is left."""
    widths = [min(shape.least if is_tight else shape.comfort, width) for shape in shapes]
    for _ in range(width - _width(widths)):
        wanting = [i for i, shape in enumerate(shapes) if not shape.is_number and widths[i] < shape.natural]
        if not wanting:
            break
        widths[min(wanting, key=lambda i: widths[i])] += 1
    return [*widths]


def _bar_room(width: int, shapes: list[_Shape]) -> int:
    """Return the columns for bars: what is left beside the table, or a few where texts can wrap for them."""
    beside = width - GAP - _width(shape.natural for shape in shapes)
    if beside >= BAR[0]:
        return min(beside, BAR[1])
    return min(width - GAP - _width(shape.comfort for shape in shapes), BAR[0])


def shown_rows(table: ViewTable, every_row: bool = False) -> list[int]:
    """Return the places of the rows that a terminal shows: all, or the first, or even ones with both ends and the best."""
    count, most = len(table.rows), table.most
    if every_row or most is None or count <= most:
        return list(range(count))
    if table.thinning == "first":
        return list(range(most))
    even = {round(i * (count - 1) / (most - 1)) for i in range(most)}
    return sorted(even if table.best is None else even | {table.best})


def _shape(column: ViewColumn, cells: list[Cell]) -> _Shape:
    is_number = any(isinstance(cell, Number) for cell in cells)
    natural = max(len(text) for text in (column.title, *(_text(cell, False) for cell in cells)))
    if is_number:
        lines = [line for cell in cells for line in _text(cell, True).split("\n")]
        least = max(map(len, (*lines, column.title)))
        return _Shape(natural, least, least, is_number)
    words = [word for text in (column.title, *map(str, cells)) for word in text.split()]
    least = min(max(map(len, words), default=0), LONGEST)
    return _Shape(natural, max(min(natural, WORDY), least), least, is_number)


def _text(cell: Cell, is_split: bool) -> str:
    if not isinstance(cell, Number):
        return cell
    return f"{cell.text}\n{cell.span}" if is_split and cell.span else cell.words


def _width(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _bar(table: ViewTable, row: int, width: int) -> Text:
    values = [_value(cells[table.bar or 0]) for cells in table.rows]
    parts = values[:-1] if table.has_total else values
    if table.has_total and row == len(values) - 1:
        return Text()
    limit = table.bar_limit or max(parts, default=0.0) or 1.0
    return Text(bar(values[row] / limit, width), style="red" if values[row] > limit else "magenta")


def _value(cell: Cell) -> float:
    return cell.value if isinstance(cell, Number) else 0.0


def _style(table: ViewTable, row: int) -> str:
    return "bold" if row == table.best or (table.has_total and row == len(table.rows) - 1) else ""


def plain_table(title: str, *, expand: bool = False) -> Table:
    """Return an empty table in the house's style."""
    return Table(
        title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, expand=expand,
        show_edge=False, header_style="bold cyan", padding=(0, 1, 0, 0),
    )  # fmt: skip


def labelled(lines: Iterable[tuple[str, str]], style: str = "bold cyan") -> Table:
    """Return lines that each start with a label, the texts hanging in a column of their own."""
    rows, table = list(lines), Table.grid(padding=(0, 2, 0, 0))
    is_long = max((len(name) for name, _ in rows), default=0) > LABEL
    table.add_column(style=style, no_wrap=not is_long, overflow="fold", max_width=LABEL if is_long else None)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    return table
