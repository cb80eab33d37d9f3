"""Families as files: each reads its maker's own class as that class counts itself."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tianji.errors import FormatError
from tianji.workload.class_facts import class_defaults
from tianji.workload.family_files import load_families
from tianji.workload.huggingface import read_config

COUNTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "class_counts.json").read_text())[
    "types"
]
OWN_COUNT = {"longcat_flash": 560_664_980_480}
"""Where the class holds weights that the model does not have: see docs/models.md."""
CONTRADICTORY = {
    "deepseek_v2": "'num_experts_per_tok' is null",
    "glm4_moe": "4096 does not divide by 96",
    "glm4v_moe_text": "4096 does not divide by 96",
}
"""Classes whose own defaults no model can have."""
SIZES = ("hidden_size", "num_hidden_layers", "vocab_size")


def read_json(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "configs" / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize("kind", COUNTED)
def test_parameters_are_those_of_the_makers_class(kind: str) -> None:
    row = COUNTED[kind]
    if kind in CONTRADICTORY:
        with pytest.raises(FormatError, match=CONTRADICTORY[kind]):
            read_config(row["config"], kind)
        return
    model, wanted = read_config(row["config"], kind), OWN_COUNT.get(kind, row["parameters"])
    # A balancing bias that a class holds as a buffer is a parameter here.
    assert abs(model.num_parameters - wanted) <= 1.1 * row["buffers"] + 1e-5 * wanted


@pytest.mark.parametrize("kind", [kind for kind in COUNTED if class_defaults(kind)])
def test_what_is_left_out_means_what_the_class_makes_of_it(kind: str) -> None:
    """A file that states no more than its width, depth and vocabulary is the class's own default, or is refused."""
    whole = COUNTED[kind]["config"]
    aliases = {s for key in SIZES for s in load_families()[kind].aliases.get(key, ())}
    kept = {"model_type", "architectures", *SIZES, *aliases} | {key for name, key in DERIVED if name == kind}
    try:
        model = read_config({key: value for key, value in whole.items() if key in kept}, kind)
    except FormatError as error:
        assert "is missing" in str(error) or kind in CONTRADICTORY
    else:
        assert model.num_parameters == read_config(whole, kind).num_parameters


DERIVED = {
    ("bailing_hybrid", "linear_head_dim"),
    ("dory", "layer_types"),
    ("dory", "n_input_layers"),
    ("dory", "n_output_layers"),
    ("hrm_text", "num_layers_per_stack"),
}
"""Keys that the class computes from others, and that it writes changed."""


@pytest.mark.parametrize("kind", [kind for kind in COUNTED if kind not in CONTRADICTORY])
def test_any_one_key_may_be_left_out(kind: str) -> None:
    """The class's default file without one of its keys is the same model, or is refused."""
    whole = COUNTED[kind]["config"]
    wanted = read_config(whole, kind)
    for key in set(whole) - {"architectures", "model_type"}:
        try:
            model = read_config({name: value for name, value in whole.items() if name != key}, kind)
        except FormatError:
            continue
        assert (kind, key) in DERIVED or replace(model, remark="") == replace(wanted, remark=""), key


def test_a_file_without_a_type_is_of_the_type_that_its_class_is_named_after() -> None:
    row = COUNTED["solar_open"]["config"]
    model = read_config({key: value for key, value in row.items() if key != "model_type"}, "solar")
    assert model.family == "solar_open"
    assert model.num_parameters == read_config(row, "solar").num_parameters


def test_no_two_files_claim_an_architecture() -> None:
    owners: dict[str, set[str]] = {}
    for family in load_families().values():
        for name in family.architectures:
            owners.setdefault(name, set()).add(family.name)
    assert {name: files for name, files in owners.items() if len(files) > 1} == {}


def test_every_family_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    assert [kind for kind in load_families() if f"`{kind}`" not in page] == []


def test_another_type_of_a_published_file_is_read_by_its_architecture() -> None:
    config = read_json("DeepSeek-V4-Flash")
    assert replace(read_config(config | {"model_type": "deepseek_ref"}, "one"), remark="") == replace(
        read_config(config, "one"), remark=""
    )


def test_experts_may_be_counted_by_either_key_and_must_agree() -> None:
    config = COUNTED["glm_moe_dsa"]["config"]
    count = config["n_routed_experts"]
    assert (
        read_config(config | {"num_experts": count}, "one").num_parameters == read_config(config, "one").num_parameters
    )
    with pytest.raises(FormatError, match="contradict each other"):
        read_config(config | {"num_experts": count + 1}, "one")
