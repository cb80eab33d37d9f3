"""The options of the software: by chip and ecosystem, switches on and off, what they hold of a strategy, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tianji import predict
from tianji.api.cases import choose_for_cases, read_cases
from tianji.api.software import SoftwareChoice, SoftwareOptions, choose_software
from tianji.catalog import load_calibration, load_chip
from tianji.errors import FormatError
from tianji.hardware.software import Software
from tianji.parallel.software_fields import hold_fields

H100, A2, GB200 = (load_chip(name) for name in ("h100-sxm", "ascend-910b2", "gb200"))
DEFAULT = load_calibration()
LAYOUT = "tp=1,pp=4,ep=8,zero=1,mbs=1"
JOB = {"chips": 64, "batch": 512, "seq": 4096}


def choose(
    software: object = None, with_: str = "", without: str = "", chips: tuple[object, ...] = (H100,)
) -> SoftwareChoice:
    asked = SoftwareOptions(software, with_ or (), without or ())  # type: ignore[arg-type]
    return choose_software(DEFAULT, chips, asked)  # type: ignore[arg-type]


def test_nothing_said_changes_nothing() -> None:
    assert choose().calibration is DEFAULT
    assert hold_fields(DEFAULT, A2, {"tp": 8}) == {"tp": 8}


def test_the_reference_by_its_name_has_its_own_rates_and_memory() -> None:
    named = choose("megatron-bridge").calibration
    assumed, stated = DEFAULT.constants(H100), named.constants(H100)
    memory = ("activation_overhead", "framework_reserve", "communicator_size")
    assert replace(stated, **{name: getattr(assumed, name) for name in memory}) == assumed
    assert named.footprint(H100) == DEFAULT.memory["megatron-bridge"]
    # Who names the software leaves no other to doubt.
    assert named.spread(H100).high < DEFAULT.spread(H100).high


def test_a_switch_of_an_assumed_framework_changes_nothing_but_itself() -> None:
    under = choose(with_="full-graph").calibration
    software = under.find_stated(H100)
    assert software == replace(Software.of(DEFAULT.reference["cuda"]), launch="full_graph", chosen=("launch",))
    assert under.footprint(H100) == DEFAULT.footprint(H100)
    assert under.spread(H100) == DEFAULT.spread(H100)
    assert under.constants(H100).kernel_launch < DEFAULT.constants(H100).kernel_launch
    assert hold_fields(under, H100, {}) == {}
    fused = choose(with_="hccl-fused", chips=(A2,)).calibration
    assert hold_fields(fused, A2, {}) == {"ep_kind": "deduplicated"}


def test_software_goes_to_the_pools_of_its_ecosystem_and_chip() -> None:
    choice = choose(["megatron-bridge@26.08", "cann=mindspeed"], "gb200=full-graph", chips=(H100, GB200, A2))
    found = {c.name: choice.calibration.find_stated(c) for c in (H100, GB200, A2)}
    assert [s.name for s in found.values() if s] == ["megatron-bridge@26.08", "megatron-bridge@26.08", "mindspeed"]
    assert [s.launch for s in found.values() if s] == ["partial_graph", "full_graph", "eager"]
    by_chip = choose({"h100-sxm": "nemo@25.04"}, chips=(H100, GB200)).calibration
    assert by_chip.find_stated(H100) and not by_chip.find_stated(GB200)
    assert by_chip.constants(GB200) == DEFAULT.constants(GB200)


def test_a_switch_goes_where_there_is_such_a_thing() -> None:
    choice = choose(with_="hybrid-ep,mc2", chips=(H100, A2))
    on = {c.name: choice.calibration.find_stated(c) for c in (H100, A2)}
    assert {name: s.chosen for name, s in on.items() if s} == {H100.name: ("dispatcher",), A2.name: ("tp_overlap",)}


def test_unknown_software_is_the_newest_of_its_ecosystem_and_said_so() -> None:
    choice = choose("our-trainer@3", chips=(H100, A2))
    assert [n for n in choice.notes if "not known" in n and "megatron-bridge" in n and "h100-sxm" in n]
    assert [n for n in choice.notes if "not known" in n and "mindspeed" in n and "ascend-910b2" in n]
    late = choose("megatron-bridge@99.9")
    assert "release '99.9' of megatron-bridge is not known" in late.notes[0]


@pytest.mark.parametrize(
    ("software", "with_", "without", "message"),
    [
        ("", "", "", "expected a framework"),
        ("nemo@", "", "", "expected a framework"),
        ("mindspeed", "", "", "known on cann"),
        ("h200=nemo", "", "", "no chip or ecosystem that is asked about"),
        (["nemo", "torchtitan"], "", "", "nemo and torchtitan"),
        (None, "fulgraph", "", "did you mean full_graph"),
        (None, "fused", "", "say which"),
        (None, "full-graph,", "", "joined by commas"),
        (None, "hybridep,deepep", "", "hybrid_ep and deep_ep at once"),
        (None, "mc2", "", "no mc2 on cuda"),
        (None, "", "full-graph", "its launch is partial_graph"),
        (None, "", "cublas", "cannot be switched off"),
        (None, "", "launsh", "not known"),
        (None, "full-graph", "launch", "not both"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(software: object, with_: str, without: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        choose(software, with_, without)


def test_switches_that_nothing_is_measured_of_are_named() -> None:
    assert "head_dtype=fp8 changes" in choose(with_="head-dtype=fp8").notes[0]
    bare = choose_software(load_calibration("none"), (H100,), SoftwareOptions("nemo"))
    assert any("knows no software" in note for note in bare.notes)


def test_a_prediction_says_its_software_and_holds_its_fields(tmp_path: Path) -> None:
    plain = predict("qwen3-30b-a3b", "hgx-h100", LAYOUT, **JOB)
    assert plain.document["software"]["name"] == "megatron-bridge"
    assert not plain.document["software"]["is_stated"]
    answer = predict("qwen3-30b-a3b", "hgx-h100", LAYOUT, **JOB, software="in-house", without="tp-overlap")
    strategy = answer.plan.strategy
    assert (strategy.overlap_ep, strategy.overlap_tp) == (True, False)
    shown = answer.document["software"]
    assert shown["is_stated"] and (shown["framework"], shown["switches"]["tp_overlap"]) == ("in-house", "none")
    assert json.loads(answer.to_json())["software"] == shown


def test_switches_and_fields_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(FormatError, match="wants overlap_ep=on"):
        predict("qwen3-30b-a3b", "hgx-h100", LAYOUT, **JOB, with_="one-f-one-b", overlap_ep=False)
    off = predict("qwen3-30b-a3b", "hgx-h100", LAYOUT, **JOB, software="in-house", overlap_ep=False)
    assert off.document["software"]["switches"]["ep_overlap"] == "none"


def test_natural_routing_loads_the_experts() -> None:
    answer = predict("qwen3-30b-a3b", "hgx-h100", LAYOUT, **JOB, with_="natural")
    assert answer.plan.job.moe_imbalance == 1.12


def test_a_plan_file_keeps_its_software(tmp_path: Path) -> None:
    from tianji.parallel.plan_file import read_plan, write_plan

    answer = predict("qwen3-30b-a3b", "hgx-h100", LAYOUT, **JOB, software="megatron-bridge@26.08", with_="full-graph")
    software = answer.calibration.find_stated(H100) if answer.calibration else None
    file = tmp_path / "plan.json"
    write_plan(replace(answer.plan, software=software), file)
    assert read_plan(file).software == software
    again = predict(file)
    assert again.step_time == answer.step_time
    slower = predict(file, without="full-graph")
    assert slower.step_time.nominal > answer.step_time.nominal
    data = json.loads(file.read_text())
    data["software"]["launch"] = "rocket"
    file.write_text(json.dumps(data))
    with pytest.raises(FormatError, match="launch: expected one of"):
        predict(file)


def test_each_pool_of_a_comparison_has_its_own() -> None:
    cases = read_cases(
        "qwen3-30b-a3b", ("64xhgx-h100", "64xatlas-900-a2"), batch=512, seq=4096, tokens=None, precision=None
    )
    settled, calibration = choose_for_cases(cases, DEFAULT, SoftwareOptions("in-house"))
    dispatchers = [s.dispatcher for _, pool in settled if (s := calibration.find_stated(pool.chip))]
    assert dispatchers == ["deep_ep", "hccl_fused"]
    assert all("(on " in note for note in settled[0][0].assumed[-1:])


@pytest.mark.parametrize("software", [None, "megatron-bridge"])
def test_hidden_dispatch_costs_the_same_as_a_field_and_as_a_switch(software: str | None) -> None:
    job = ("qwen3-30b-a3b", "hgx-h100", "ep=16,zero=1")
    as_field = predict(*job, chips=16, batch=256, seq=4096, software=software, overlap_ep=True)
    as_switch = predict(*job, chips=16, batch=256, seq=4096, software=software, with_="one-f-one-b")
    without = predict(*job, chips=16, batch=256, seq=4096, software=software)
    assert as_field.step_time == as_switch.step_time != without.step_time
    assert as_field.document["software"] == as_switch.document["software"]
