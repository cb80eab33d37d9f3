import ast
from pathlib import Path

import pytest

from tianji.catalog import load_chip
from tianji.errors import FormatError
from tianji.measurements import table as table_module
from tianji.measurements.table import find_generation, find_traits, read_table
from tianji.parallel.strategy import FIELDS

HEAD = (
    "id,quality,split,source,chip,n_chips,framework,arch_key,layers,hidden,ffn,heads,vocab,seq_len,global_batch_size,"
    "micro_batch_size,tp,pp,fsdp_zero,precision,recompute,step_time_s,tokens_per_s_per_chip"
)
GOOD = "a,A,fit,ours,H100-SXM-80GB,8,Megatron-LM,own,24,2048,8192,16,50304,1024,64,2,2,1,ZeRO-1,bf16,none,,16384"


def table(path: Path, *rows: str) -> Path:
    file = path / "runs.csv"
    file.write_text("\n".join([HEAD, *rows]))
    return file


def test_a_row_becomes_a_job_on_a_pool_under_a_strategy(tmp_path: Path) -> None:
    (row,) = read_table(table(tmp_path, GOOD)).rows
    assert (row.strategy.tp, row.strategy.dp, row.strategy.zero) == (2, 4, 1)
    # 64 sequences of 1,024 tokens at 16,384 tokens a second on each of 8 chips.
    assert row.measured_step_time == pytest.approx(64 * 1024 / (16384 * 8))
    assert row.traits == ("megatron-lm", "megatron-lm@h100-sxm")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (",H100-SXM-80GB,", ",,", "chip is not stated"),
        (",none,,16384", ",,,16384", "recompute is not stated"),
        (",none,,16384", ",none,,", "neither step_time_s nor tokens_per_s_per_chip"),
        (",2,2,1,", ",2,3,1,", "does not divide n_chips"),
    ],
)
def test_what_cannot_be_predicted_is_skipped_with_the_reason(old: str, new: str, reason: str, tmp_path: Path) -> None:
    found = read_table(table(tmp_path, GOOD.replace(old, new)))
    assert not found.rows
    assert reason in found.skipped[0].reason and sum(found.reasons().values()) == 1


def test_the_same_name_twice_counts_once(tmp_path: Path) -> None:
    found = read_table(table(tmp_path, GOOD, GOOD))
    assert len(found.rows) == len(found.skipped) == 1


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("hello")
    with pytest.raises(FormatError, match="names the columns"):
        read_table(tmp_path / "x.csv")


def test_traits_tell_framework_release_modes_recipe_and_port() -> None:
    found = find_traits("nemo-dgxc-25.02", ("hybridep", "sft"), "mixtral", "b200")
    assert found == ("nemo", "nemo-dgxc-25.02", "hybridep", "nemo/mixtral", "nemo@b200")


SWITCHES = {
    "cuda_graph=full_iteration scope=[]": {"full-graph"},
    "cuda_graph=local scope=full_iteration": {"full-graph"},
    "cuda_graph=transformer_engine scope=['attn']": {"cuda-graph"},
    "cuda_graph=none scope=full_iteration": set(),
    "DEEPSEEK_V3_PRETRAIN_256GPU_GB200_FP8MX_CONFIG@v0.6.0: cuda_graph=transformer_engine scope=['attn']": {
        "hybridep",
        "full-graph",
    },
    "NeMo container 25.09. MoE token-drop (capacity factor 1.0). MoE dispatcher=hybridep; cuda_graph=local": {
        "cuda-graph",
        "token-drop",
    },
    "GPT_OSS_120B_PRETRAIN_CONFIG_GB300_FP8_MX_V2@v0.5.1": {"known-regression"},
}


@pytest.mark.parametrize(("notes", "modes"), SWITCHES.items())
def test_switches_are_read_where_a_recipe_or_a_footnote_states_them(
    notes: str, modes: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(f'{HEAD},notes\n{GOOD},"{notes}"\n')
    (row,) = read_table(path).rows
    assert set(row.tags) == modes


def test_selective_without_modules_recomputes_nothing(tmp_path: Path) -> None:
    text = "selective (no modules listed; Mcore default core_attn)"
    (row,) = read_table(table(tmp_path, GOOD.replace(",none,", f",{text},"))).rows
    assert row.strategy.recompute == "none"


def test_no_switch_of_a_row_is_left_to_the_defaults_of_a_strategy() -> None:
    tree = ast.parse(Path(table_module.__file__).read_text("utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Strategy"]
    assert len(calls) == 1
    assert {keyword.arg for keyword in calls[0].keywords} == set(FIELDS)


def test_a_generation_is_named_by_the_chip_at_the_end_of_the_line() -> None:
    assert find_generation(load_chip("gb300")) == find_generation(load_chip("b200")) == "b200"
