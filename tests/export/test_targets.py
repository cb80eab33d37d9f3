"""Every target: files on disk, notes, refusals with their reasons."""

import subprocess
from pathlib import Path

import pytest

import tianji
from tianji.errors import ExportError, UnknownNameError
from tianji.export import render_plan, write_bundle
from tianji.parallel.plan import Plan


def dense(**strategy: object) -> Plan:
    job = tianji.make_job("llama-3.1-70b", global_batch_size=256, seq_len=8192, tokens="1T")
    fields = {"tp": 8, "pp": 4, "dp": 2, **strategy}
    return Plan(job, tianji.load_pool("hgx-h100", 64), tianji.Strategy(**fields))  # type: ignore[arg-type]


def test_an_unknown_target_is_told_with_its_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean megatron"):
        render_plan(dense(), "megatro")


def test_a_schedule_that_the_engine_lacks_is_refused_with_what_to_do() -> None:
    with pytest.raises(ExportError, match=r"schedule=zero-bubble.*--fix schedule=1f1b"):
        render_plan(dense(schedule="zero-bubble"), "megatron")


def test_the_files_are_written_and_the_script_can_be_started(tmp_path: Path) -> None:
    paths = write_bundle(render_plan(dense(), "megatron"), tmp_path / "new folder")
    script = paths[0]
    assert script.name == "pretrain_megatron.sh"
    assert script.stat().st_mode & 0o100
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missing = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False)
    assert missing.returncode != 0
    assert "FILL IN" in missing.stderr
