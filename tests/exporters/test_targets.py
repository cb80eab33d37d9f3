"""Every target: files on disk, notes, refusals with their reasons."""

import subprocess
from pathlib import Path

import pytest
import yaml

import tianji
from tianji.errors import ExportError, InputError, UnknownNameError
from tianji.exporters import render_plan, write_bundle
from tianji.exporters.lint.checks import check_file
from tianji.exporters.targets import TARGETS
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


def test_sharded_gradients_under_a_pipeline_go_to_who_reduces_each_micro_batch() -> None:
    with pytest.raises(ExportError, match="keep whole gradients and reduce them once a step"):
        render_plan(dense(zero=2), "torchtitan")
    text = "".join(a.text for a in render_plan(dense(zero=2), "megatron").artefacts)
    assert "optim_grads" in text


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


def a3(pool: str, chips: int) -> Plan:
    job = tianji.make_job("deepseek-v3", global_batch_size=1536, seq_len=4096, tokens="1T")
    strategy = tianji.Strategy(tp=2, pp=chips // 96, ep=16, dp=48, recompute="full", overlap_tp=False)
    return Plan(job, tianji.load_pool(pool, chips), strategy)


def test_a_plan_over_packages_is_refused_with_the_way_out() -> None:
    with pytest.raises(ExportError, match=r"tianji plan MODEL atlas-900-a3-dies --chips 768 --out"):
        render_plan(a3("cloudmatrix384", 384), "volcano")


@pytest.mark.parametrize(("chips", "block"), [(768, "768"), (384, "384"), (1536, "768")])
def test_a_plan_over_dies_goes_to_mindcluster(chips: int, block: str, tmp_path: Path) -> None:
    bundle = render_plan(a3("atlas-900-a3-dies", chips), "volcano")
    write_bundle(bundle, tmp_path)
    job = list(yaml.safe_load_all((tmp_path / "job.yaml").read_text()))[1]
    notes = job["metadata"]["annotations"]
    assert (notes["huawei.com/schedule_policy"], notes["sp-block"]) == ("chip2-node16-sp", block)
    (container,) = job["spec"]["replicaSpecs"]["Master"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"huawei.com/Ascend910": 16}
    assert "pretrain_mindspeed.sh" in container["command"][2]
    assert check_file(str(tmp_path / "job.yaml")).violations == ()
    assert (tmp_path / "ranks.tsv").read_text().splitlines()[2].split("\t")[:4] == ["1", "0", "1", "0"]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_full_disk_gets_all_files_or_none(is_new: bool, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]  # room for one file of two
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        folder = disk / "files"
        if not is_new:
            folder.mkdir()
            (folder / "pretrain_megatron.sh").write_text("mine")
        before = sorted(disk.rglob("*"))
        with pytest.raises(InputError, match=r"cannot be written .*No space left.*none was"):
            write_bundle(render_plan(dense(), "megatron"), folder)
        assert sorted(disk.rglob("*")) == before
        assert is_new or (folder / "pretrain_megatron.sh").read_text() == "mine"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_every_target_has_tests_of_its_own() -> None:
    shared = {"jobset": "kubernetes", "rayjob": "kubernetes"}
    for target in TARGETS.values():
        room, name = target.write.__module__.split(".")[-2:]
        assert (Path(__file__).parent / room / f"test_{shared.get(name, name)}.py").is_file(), target.name
