"""Texts that stand in no vocabulary are read by their words, and what is left over is named."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from tables import GOOD, write_rows

from docs.generators import measured_tables
from tianji.errors import InputError
from tianji.measurements import vocabulary
from tianji.measurements.cells import Cells
from tianji.measurements.columns import COLUMNS
from tianji.measurements.rows import Setup, read_row
from tianji.measurements.table import read_table
from tianji.measurements.vocabulary import PUBLISHED, VOCABULARY, Vocabulary, find_left_over, read_vocabulary, translate
from tianji.measurements.word_lines import EVERY_COLUMN, KEPT, REFUSED, WORDS, read_word_lines, read_words, split_words

PLAIN = {name: cell for name, cell in GOOD.items() if name not in ("pool", "zero", "framework")}
ROW = {
    **PLAIN, "chip": "H100-SXM-80GB", "framework": "Megatron-Bridge / Megatron-Core", "fsdp_zero": "ZeRO-1",
    "overlap": "", "vp": "1", "notes": "", "interconnect_scale_out": "",
}  # fmt: skip

TEXTS: dict[tuple[str, str], dict[str, str]] = {
    ("recompute", "selective (mlp + core attention)"): {"recompute": "selective", "recompute_modules": "mlp core_attn"},
    ("recompute", "moe_act only"): {"recompute": "selective", "recompute_modules": "moe_act"},
    ("recompute", "Full, method block, num-layers: 7"): {"recompute": "full", "recompute_num_layers": "7"},
    ("recompute", "full (uniform, 1 layer)"): {"recompute": "full"},
    ("recompute", "off"): {"recompute": "none"},
    ("recompute", "selective (remat custom: out_proj saved)"): {"recompute": "full", "kept_modules": "out_proj"},
    ("fsdp_zero", "HSDP, shard 16"): {"zero": "3", "zero_group": "16"},
    ("fsdp_zero", "distributed optimizer"): {"zero": "1"},
    ("fsdp_zero", "DeepSpeed stage 2"): {"zero": "2"},
    ("precision", "FP8 (blockwise, 128x128)"): {"precision": "fp8", "scaling": "block"},
    ("precision", "NVFP4, last 8 layers in BF16"): {"precision": "nvfp4"},
    ("overlap", "overlap-grad-reduce; no TP comm overlap"): {
        "overlap_dp": "true", "overlap_tp": "false", "tp_overlap": "none",
    },
    ("overlap", "tp_comm_overlap: true, overlap_param_gather=False, HybridEP"): {
        "overlap_tp": "true", "tp_overlap": "userbuffers", "weight_gather": "exposed", "dispatcher": "hybrid_ep",
    },
    ("overlap", "EP overlap disabled"): {"overlap_ep": "false"},
    ("framework", "Megatron-Bridge v27.02 (dev)"): {"framework": "megatron-bridge", "release": "27.02"},
    ("source", "NVIDIA Megatron-Bridge performance summary 27.02"): {"release": "27.02"},
    ("chip", "NVIDIA GB200 NVL72"): {"pool": "gb200-nvl72"},
    ("interconnect_scale_out", "InfiniBand, 400 Gb/s per GPU"): {"scale_out": "400 Gbit/s"},
}  # fmt: skip


@pytest.mark.parametrize(("column", "text"), TEXTS)
def test_a_text_is_read_by_its_words(column: str, text: str) -> None:
    reading = read_words(column, text)
    assert reading is not None
    assert dict(reading.cells) == TEXTS[column, text]
    assert column == "source" or not reading.left_over


@pytest.mark.parametrize(
    ("column", "text"),
    [("recompute", "all of it, twice"), ("recompute", "full except core attention"), ("chip", "H100 PCIe"),
     ("precision", "fp8 or bf16"), ("notes", "full recompute"), ("recompute", "")],
)  # fmt: skip
def test_a_text_that_may_mean_its_opposite_is_not_read(column: str, text: str) -> None:
    assert read_words(column, text) is None


def read_cell(name: str, value: str) -> object:
    cells, kind = Cells({name: value}, 2), COLUMNS[name].type
    return cells.fraction(name, 1.0) if kind == "fraction" else getattr(cells, kind)(name)


def test_each_line_sets_columns_to_what_they_may_hold() -> None:
    for column, lines in read_word_lines().items():
        assert column in PUBLISHED
        means = [pair for line in lines for pair in line.means if pair[0] not in (KEPT, REFUSED)]
        for name, values in means:
            for value in filter(None, values.replace("N", "4").split("|")):
                assert read_cell(name.rstrip("+"), value) is not None


def test_no_line_stands_twice() -> None:
    lines = list(csv.DictReader(WORDS.read_text("utf-8").splitlines()))
    keys = [(line["column"], split_words(line["text"])) for line in lines]
    assert len(set(keys)) == len(keys)
    assert {column for column, _ in keys} == {*read_word_lines(), EVERY_COLUMN}


def wanted(means: str) -> dict[str, str]:
    return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in means.split(";"))}


def test_words_never_contradict_what_a_person_read_in_a_text() -> None:
    """Every text of the vocabulary as if it had never been seen: the words say what a person made of it, or nothing."""
    decisive = {"recompute": "recompute", "fsdp_zero": "zero", "precision": "precision", "overlap": "overlap_ep"}
    lines = [line for line in csv.DictReader(VOCABULARY.read_text("utf-8").splitlines()) if not line["where"]]
    texts = [(line["column"], line["text"], wanted(line["means"])) for line in lines if line["column"] in decisive]
    read = [(column, text, want, read_words(column, text)) for column, text, want in texts]
    wrong = [
        text
        for column, text, want, reading in read
        if reading and reading.cells.get(decisive[column], "") != want.get(decisive[column], "")
    ]
    # Which of two formats a row had, only a person can say who sees the table.
    assert wrong == ["nvfp4/fp8"]
    assert sum(reading is not None for *_, reading in read) > 0.85 * len(read)


def read_all(rows: list[dict[str, str]]) -> list[tuple[Setup, tuple[str, ...]] | None]:
    """Return what each row ran, apart from what it assumes, and what it assumes; None where it is skipped."""
    setups: list[tuple[Setup, tuple[str, ...]] | None] = []
    for row in rows:
        try:
            setup = read_row(Cells(translate(row), 2), row["id"]).setup
        except InputError:
            setups.append(None)
        else:
            setups.append((replace(setup, job=replace(setup.job, assumed=())), setup.job.assumed))
    return setups


def test_the_second_table_is_read_by_words_as_by_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lines of texts that the first tables have alone, rows of quality A of the second are read as they are now.

    Before words were read, 42 of them were skipped and 42 were read otherwise.
    """
    tables = [list(csv.DictReader(path.read_text("utf-8").splitlines())) for path in measured_tables.SHIPPED]
    first, second, single = ([measured_tables.to_published(row) for row in table] for table in tables)
    rows = [row for row in second if row["quality"] == "A"]
    seen = {
        (column, " ".join((row.get(column) or "").lower().split())) for row in first + single for column in PUBLISHED
    }
    now = read_all(rows)
    full = read_vocabulary()
    old = {
        column: Vocabulary(
            {t: e for t, e in known.whole.items() if column == "id" or (column, t) in seen}, known.phrases
        )
        for column, known in full.items()
    }
    monkeypatch.setattr(vocabulary, "read_vocabulary", lambda: old)
    blind = read_all(rows)
    pairs = [(one, other) for one, other in zip(now, blind, strict=True) if one]
    same = sum(one == other for one, other in pairs)
    but_for_assumed = sum(other is not None and one[0] == other[0] for one, other in pairs)
    monkeypatch.setattr(vocabulary, "read_words", lambda *_: None)
    plain = [(one, other) for one, other in zip(now, read_all(rows), strict=True) if one]
    assert (len(pairs), same, but_for_assumed) == (164, 155, 164)
    assert sum(other is None for _, other in plain) == 42
    assert sum(other is not None and one != other for one, other in plain) == 42


def test_words_that_are_left_over_are_named(tmp_path: Path) -> None:
    odd = {**ROW, "recompute": "full (of moons)", "overlap": "DP overlap, stardust"}
    assert find_left_over(odd) == [("recompute", "moons"), ("overlap", "stardust")]
    table = read_table(write_rows(tmp_path, odd))
    assert len(table.rows) == 1 and table.left_over == {("recompute", "moons"): 1, ("overlap", "stardust"): 1}


def test_a_cell_that_says_nothing_stays_empty() -> None:
    assert translate({**ROW, "recompute": "none stated"})["recompute"] == "none stated"
