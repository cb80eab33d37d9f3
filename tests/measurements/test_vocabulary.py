"""Publishers' words become typed cells by one vocabulary, and the shipped tables are what it makes of them."""

import csv
from pathlib import Path

import pytest
from tables import GOOD, write_rows

from docs.generators import measured_tables
from tianji.measurements.cells import Cells
from tianji.measurements.columns import AS_PUBLISHED, COLUMNS
from tianji.measurements.rows import read_setup
from tianji.measurements.table import read_table
from tianji.measurements.vocabulary import PUBLISHED, VOCABULARY, find_unknown, read_vocabulary, translate

PLAIN = {name: cell for name, cell in GOOD.items() if name not in ("pool", "zero", "framework")}
WORDS = {
    **PLAIN, "chip": "H100-SXM-80GB", "framework": "Megatron-Bridge / Megatron-Core", "fsdp_zero": "ZeRO-1 over 4 ranks",
    "overlap": "", "vp": "1", "notes": "", "interconnect_scale_out": "",
}  # fmt: skip


@pytest.mark.parametrize("path", measured_tables.SHIPPED, ids=lambda path: path.name)
def test_the_shipped_tables_are_what_the_vocabulary_makes_of_their_words(path: Path) -> None:
    rows = [measured_tables.to_published(row) for row in csv.DictReader(path.read_text("utf-8").splitlines())]
    assert measured_tables.write_table([translate(row) for row in rows]) == path.read_text("utf-8")
    assert not [text for row in rows for text in measured_tables.name_unknown(row)]


def read_cell(cells: Cells, name: str) -> object:
    kind = COLUMNS[name].type
    return cells.fraction(name, 1.0) if kind == "fraction" else getattr(cells, kind)(name)


def test_each_line_of_the_vocabulary_sets_columns_to_what_they_may_hold() -> None:
    for column, vocabulary in read_vocabulary().items():
        assert column in PUBLISHED
        for entry in [*(e for es in vocabulary.whole.values() for e in es), *(e for _, e in vocabulary.phrases)]:
            for name, value in entry.means.items():
                if value:
                    assert read_cell(Cells({name: value}, 2), name) is not None
            assert entry.where.keys() <= {*COLUMNS}


def test_no_text_stands_twice_with_the_same_restriction() -> None:
    lines = list(csv.DictReader(VOCABULARY.read_text("utf-8").splitlines()))
    keys = [(line["column"], line["text"].lower(), line["where"]) for line in lines]
    assert len(set(keys)) == len(keys) > 300


def test_a_row_in_a_publishers_words_is_read_like_its_typed_one(tmp_path: Path) -> None:
    (row,) = read_table(write_rows(tmp_path, WORDS)).rows
    typed = Cells({**GOOD, "framework": "megatron-bridge", "zero": "1", "zero_group": "4"}, 2)
    assert row.setup == read_setup(typed)


def test_the_words_are_kept_beside_what_they_mean() -> None:
    cells = translate(WORDS)
    assert cells["zero"] == "1" and cells[f"{AS_PUBLISHED}sharding"] == "ZeRO-1 over 4 ranks"
    assert "fsdp_zero" not in cells and cells["notes"] == ""


def test_a_text_that_nobody_knows_is_named_and_its_row_skipped(tmp_path: Path) -> None:
    odd = {**WORDS, "recompute": "all of it, twice", "overlap": "a bit"}
    words = {c.name: c.words for c in COLUMNS.values()}
    assert find_unknown(odd, words) == [("recompute", "all of it, twice"), ("overlap", "a bit")]
    assert find_unknown({**WORDS, "recompute": "full"}, words) == []
    (skip,) = read_table(write_rows(tmp_path, odd)).skipped
    assert "all of it, twice" in skip.reason


def test_a_framework_that_nobody_knows_keeps_its_own_name() -> None:
    assert translate({**WORDS, "framework": "Our Trainer 2 (fork) / JAX"})["framework"] == "our-trainer"


SWITCHES = {
    "cuda_graph=full_iteration scope=[]": {"launch": "full_graph"},
    "cuda_graph=local scope=full_iteration": {"launch": "full_graph"},
    "cuda_graph=transformer_engine scope=['attn']": {"launch": "partial_graph"},
    "cuda_graph=none scope=full_iteration": {"launch": "eager"},
    "DEEPSEEK_V3_PRETRAIN_256GPU_GB200_FP8MX_CONFIG@v0.6.0: cuda_graph=transformer_engine scope=['attn']": {
        "dispatcher": "hybrid_ep", "launch": "full_graph", "overlap_ep": "true",
    },
    "NeMo container 25.09. MoE token-drop (capacity factor 1.0). MoE dispatcher=hybridep; cuda_graph=local": {
        "launch": "partial_graph", "routing": "dropped",
    },
    "GPT_OSS_120B_PRETRAIN_CONFIG_GB300_FP8_MX_V2@v0.5.1": {"regression": "true"},
    "torch.compile=False.": {"launch": "eager"},
}  # fmt: skip


@pytest.mark.parametrize(("notes", "switches"), SWITCHES.items())
def test_switches_are_read_where_a_recipe_or_a_footnote_states_them(notes: str, switches: dict[str, str]) -> None:
    plain, cells = translate(WORDS), translate({**WORDS, "notes": notes})
    assert {n: c for n, c in cells.items() if c and c != plain.get(n) and n != "notes"} == switches


@pytest.mark.parametrize(("precision", "tp_overlap"), [("nvfp4", "none"), ("fp8", "userbuffers")], ids=str)
def test_a_line_may_be_restricted_to_some_rows(precision: str, tp_overlap: str) -> None:
    text = "grad/param overlap; TP comm overlap (off for FP4)"
    assert translate({**WORDS, "overlap": text, "precision": precision})["tp_overlap"] == tp_overlap


def test_selective_without_modules_recomputes_nothing() -> None:
    assert (
        translate({**WORDS, "recompute": "selective (no modules listed; Mcore default core_attn)"})["recompute"]
        == "none"
    )


def test_a_table_is_translated_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = write_rows(tmp_path, WORDS), tmp_path / "typed.csv"
    assert measured_tables.main([str(source), str(target)]) == 0
    assert read_table(target).rows[0].setup == read_table(source).rows[0].setup
    odd = write_rows(tmp_path, {**WORDS, "overlap": "a bit"})
    assert measured_tables.main([str(odd), str(target)]) == 1
    assert "'a bit'" in capsys.readouterr().err
