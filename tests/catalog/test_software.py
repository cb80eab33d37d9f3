"""Which framework has which switch from which release on."""

from pathlib import Path

import pytest

from tianji.catalog import complete_software, find_software, list_software, load_framework
from tianji.errors import FormatError
from tianji.hardware.software import Software, order_release


@pytest.mark.parametrize("name", list_software())
def test_each_framework_has_a_history_in_order_with_sources(name: str) -> None:
    framework = load_framework(name)
    assert framework.title and framework.ecosystems and all(since.source for since in framework.history)
    for ecosystem in framework.ecosystems:
        for track in {order_release(since.release)[0] for since in framework.history}:
            newest = [s.release for s in framework.history if order_release(s.release)[0] == track][-1]
            known = framework.known(newest, ecosystem)
            assert [order_release(s.release) for s in known] == sorted(order_release(s.release) for s in known)


def test_what_a_later_release_leaves_out_stays() -> None:
    old, new = (complete_software(Software("megatron-bridge", release)) for release in ("25.09", "26.08"))
    assert (old.launch, old.dispatcher) == ("eager", "all_to_all")
    assert (new.launch, new.dispatcher, new.loss) == ("partial_graph", "hybrid_ep", old.loss)
    assert complete_software(Software("nobody")) == Software("nobody")


def test_what_is_stated_wins_and_what_is_assumed_is_said() -> None:
    software, note = find_software("megatron-bridge@26.08", ("dispatcher=deep-ep", "eager"))
    assert (software.dispatcher, software.launch, note) == ("deep_ep", "eager", "")
    unknown, note = find_software("our-trainer@3", ecosystem="cann")
    assert unknown.switches == complete_software(Software("mindspeed"), "cann").switches
    assert "'our-trainer' is not known" in note and "mindspeed" in note
    assert find_software("megatron-bridge@99.1")[1] and not find_software("megatron-bridge")[1]


def test_a_makers_own_stack_differs_by_ecosystem() -> None:
    ours = {e: find_software("in-house", ecosystem=e)[0].dispatcher for e in ("cuda", "cann")}
    assert ours == {"cuda": "deep_ep", "cann": "hccl_fused"}


def test_a_file_without_a_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "software").mkdir()
    (tmp_path / "software" / "mine.toml").write_text('title = "Mine"\necosystem = "cuda"\n')
    monkeypatch.setenv("TIANJI_CATALOG", str(tmp_path))
    with pytest.raises(FormatError, match="at least one"):
        load_framework("mine")
    assert "mine" in list_software()
