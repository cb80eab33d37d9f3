"""Versions fit together by the table, conflicts are explained, environments are checked."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError
from tianji.migration import (
    Conflict,
    VersionSet,
    check_environment,
    find_versions,
    plan_move,
    read_environment,
    write_constraints,
    write_dockerfile,
)
from tianji.migration.versions.table import Allowed, load_releases, matches, numbers

TORCHES = sorted({v for r in load_releases() if r.component == "torch_npu" for v in r.cell("torch").versions})


@pytest.mark.parametrize("target", ["a2", "a3", "950dt"])
def test_the_newest_set_has_driver_cann_torch_and_python(target: str) -> None:
    found = find_versions(target)
    assert isinstance(found, VersionSet)
    assert {"driver", "cann", "torch", "torch_npu", "python"} <= set(found.versions)
    assert found.sources


@given(torch=st.sampled_from(TORCHES), python=st.sampled_from(["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]))
def test_a_set_has_what_was_asked_and_a_row_says_so(torch: str, python: str) -> None:
    found = find_versions("a2", {"torch": torch, "python": python})
    if isinstance(found, Conflict):
        assert found.reasons
        return
    assert found.versions["torch"] == torch
    assert found.versions["python"] == python
    rows = [r for r in load_releases() if r.component == "torch_npu" and torch in r.cell("torch").versions]
    assert any(r.cell("cann").allows(found.versions["cann"]) and r.cell("python").allows(python) for r in rows)


def test_companions_fit_the_rest() -> None:
    found = find_versions("a3", {"vllm": "0.11.0"})
    assert isinstance(found, VersionSet)
    assert found.versions["vllm_ascend"] == "v0.11.0"
    assert (found.versions["torch"], found.versions["cann"]) == ("2.7.1", "8.3.RC2")
    megatron = find_versions("a2", {"megatron_core": "0.12.1"})
    assert isinstance(megatron, VersionSet)
    assert megatron.versions["mindspeed"] == "26.1.0_core_r0.12.1"
    assert megatron.versions["python"] == "3.10"


@pytest.mark.parametrize(
    ("target", "wanted", "says"),
    [
        ("a2", {"vllm": "0.11.0", "torch": "2.10"}, "vllm-ascend v0.11.0 needs cann 8.3.RC2, torch 2.7.1"),
        ("950dt", {"torch": "2.8"}, "torch 2.8 is in no release for 950DT"),
        ("a2", {"vllm": "9.9"}, "vllm 9.9: no set in the table has it"),
        ("a2", {"megatron_core": "0.12.1", "python": "3.12"}, "python 3.10"),
        ("a2", {"mindspore": "9.9"}, "no pairing"),
    ],
)
def test_a_conflict_names_both_sides(target: str, wanted: dict[str, str], says: str) -> None:
    found = find_versions(target, wanted)
    assert isinstance(found, Conflict)
    assert says in " ".join(found.reasons)


def test_mindspore_has_sets_of_its_own() -> None:
    found = find_versions("a2", {}, ["mindspore"])
    assert isinstance(found, VersionSet)
    assert {"mindspore", "cann", "driver"} <= set(found.versions)


def test_a_pinned_torch_is_kept_where_a_set_has_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\n")
    (tmp_path / "requirements.txt").write_text("torch==2.6.0\n")
    versions = plan_move(tmp_path).versions
    assert isinstance(versions, VersionSet)
    assert versions.versions["torch"] == "2.6.0"
    (tmp_path / "requirements.txt").write_text("torch==1.2.3\n")
    move = plan_move(tmp_path)
    assert isinstance(move.versions, Conflict)
    assert move.fallback is not None


def test_unknown_components_are_refused() -> None:
    with pytest.raises(FormatError, match="expected one of driver, cann"):
        find_versions("a2", {"cudnn": "9"})


def test_an_environment_that_fits_and_one_that_does_not() -> None:
    good = read_environment(
        "torch==2.7.1\ntorch-npu==2.7.1.post4\nPython 3.11.9\nCANN 9.0.0\nnpu-smi 26.0.rc1\n| 910B2 |\n"
    )
    assert good.chips == ("a2",)
    assert check_environment(good) == []
    bad = read_environment(
        "torch==2.6.0+cu124\ntorch-npu==2.7.1\nnvidia-cublas-cu12==12.4\ntriton==3.2.0\ntriton-ascend==3.2.0\nCANN 7.0.0\n"
    )
    texts = " ".join(misfit.what for misfit in check_environment(bad))
    for part in ("torch 2.6.0+cu124 with torch_npu 2.7.1", "CANN 7.0.0", "triton 3.2.0 beside", "torch for CUDA"):
        assert part in texts


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        ("torch-npu==2.7.1.post4\ntriton==3.2.0\n", "triton 3.2.0, which is for CUDA"),
        ("vllm==0.11.0\n", "vllm 0.11.0 without vllm-ascend"),
        ("torch==2.10.0\nmindspeed==0.12.1\n", "mindspeed 0.12.1 with torch 2.10.0"),
        ("torch==2.7.1\n| 0  Ascend910_9392 | OK |\n", "chips of A3"),
    ],
)
def test_what_needs_a_counterpart_on_ascend_is_a_misfit(listing: str, says: str) -> None:
    assert says in [misfit.what for misfit in check_environment(read_environment(listing), "a2")]


def test_a_listing_of_nothing_is_refused() -> None:
    with pytest.raises(FormatError, match="names no package"):
        read_environment("hello\n")


@given(st.text(max_size=300))
def test_any_listing_ends_in_an_answer(text: str) -> None:
    try:
        check_environment(read_environment(text))
    except FormatError:
        return


def test_files_pin_what_pip_installs() -> None:
    found = find_versions("a2", {}, ["vllm_ascend", "triton_ascend"])
    assert isinstance(found, VersionSet)
    text = write_constraints(found)
    assert f"torch=={found.versions['torch']}\n" in text
    assert "# driver" in text
    dockerfile = write_dockerfile(found, "a2")
    assert dockerfile.index("requirements.txt\n") < dockerfile.index("--no-deps triton-ascend")
    assert all(line.split()[0] in ("ARG", "FROM", "RUN", "COPY", "ENTRYPOINT", "#") for line in dockerfile.splitlines())


def test_versions_compare_as_releases_do() -> None:
    ordered = ["2.7.1rc1", "2.7.1", "2.7.1.post2", "2.7.1.post10", "2.10.0"]
    assert sorted(ordered[::-1], key=numbers) == ordered
    assert matches("8.5.X", "8.5.2")
    assert not matches("2.1.0", "2.10")
    assert Allowed(least="3.9", below="3.12").meets(Allowed(("3.11",)))


def test_what_was_never_released_is_in_no_set_that_does_not_ask_for_it() -> None:
    found = find_versions("a2", {"torch": "2.6"}, ["triton_ascend"])
    assert isinstance(found, Conflict)
    assert any("triton" in reason for reason in found.reasons)
    asked = find_versions("a2", {"torch": "2.6", "triton_ascend": "3.5.0"})
    assert isinstance(asked, VersionSet)
    assert any("unreleased" in note for note in asked.notes)


def test_names_are_judged_by_the_torch_that_the_requirements_pin(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\ntorch.cuda.set_device(0)\n")
    (tmp_path / "requirements.txt").write_text("torch==2.6.0+cu124\n")
    pinned = plan_move(tmp_path).scan
    assert pinned.torch_version == "2.6"
    assert any("pin torch 2.6.0: names and versions are judged by it" in note for note in pinned.notes)
    asked = plan_move(tmp_path, torch_version="2.10").scan
    assert asked.torch_version == "2.10"
    assert not any("pin" in note for note in asked.notes)


def test_names_are_judged_by_the_torch_of_the_set_where_nobody_says_one(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\ntorch.cuda.set_device(0)\n")
    move = plan_move(tmp_path)
    assert isinstance(move.versions, VersionSet)
    assert move.versions.versions["torch"].startswith(f"{move.scan.torch_version}.")
    assert any("the newest set of versions that fits" in note for note in move.scan.notes)
