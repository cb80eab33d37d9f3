"""A journal survives what happens to its writer."""

from pathlib import Path

import pytest

from tianji.backends.journal import Journal, read_journal
from tianji.errors import FormatError, RunError


def test_what_was_written_is_read_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 3)
    journal.write("step", index=0, at=1.0, seconds=0.5, loss=5.5)
    journal.write("done")
    journal.close()
    assert read_journal(tmp_path / "rank-00003.jsonl") == [
        {"event": "step", "index": 0, "at": 1.0, "seconds": 0.5, "loss": 5.5},
        {"event": "done"},
    ]


@pytest.mark.parametrize("torn", ['{"event": "st', '{"event": "step"}', ""])
def test_a_torn_last_line_is_left_out(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "rank-00000.jsonl"
    path.write_text('{"event": "step", "index": 0, "at": 1.0, "seconds": 0.5}\n' + torn)
    assert [event["index"] for event in read_journal(path)] == [0]


def test_each_event_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    journal.write("step", index=0, at=1.0, seconds=0.5)
    assert len(read_journal(journal.path)) == 1
    journal.close()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "got a list"),
        ('{"step": 1}', "with the key event"),
        ('{"event": "step", "index": 0, "at": "noon", "seconds": 1}', "line 1.at: expected a number, got 'noon'"),
        ('{"event": "step", "index": 0, "at": NaN, "seconds": 1}', "line 1.at: expected a number"),
        ("[" * 50_000, "nested too deeply"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "rank-00000.jsonl"
    path.write_bytes(line.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(FormatError, match=said):
        read_journal(path)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "rank-00000.jsonl").symlink_to("/dev/full")
    journal = Journal(tmp_path, 0)
    with pytest.raises(RunError, match="No space left"):
        journal.write("step", index=0)
    with pytest.raises(OSError, match="No space left"):
        journal.close()
