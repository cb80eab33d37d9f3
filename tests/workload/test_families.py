from dataclasses import fields
from pathlib import Path

import pytest

from tianji.workload.families import FAMILIES, Family
from tianji.workload.huggingface import read_config
from tianji.workload.model import Model

SIZES = {
    "hidden_size": 64,
    "num_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 96,
    "vocab_size": 1000,
    "max_position_embeddings": 128,
    "num_experts": 8,
    "top_k": 2,
    "expert_size": 32,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
}


def smallest(kind: str, family: Family) -> dict[str, object]:
    """Return a file of a family with the sizes above under the family's own keys."""
    stated = {family.spellings.get(word, (word,))[0]: size for word, size in SIZES.items() if word in family.words}
    return {"model_type": kind, "architectures": [family.architectures[0]]} | stated


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_reads_a_file_with_its_own_keys(kind: str) -> None:
    family = FAMILIES[kind]
    model = read_config(smallest(kind, family), "small")
    assert (model.family, model.hidden_size, model.num_layers, model.vocab_size) == (kind, 64, 4, 1000)
    assert (model.moe is not None, model.mla is not None) == (family.moe, family.mla)
    assert model.num_parameters > 64 * 1000


@pytest.mark.parametrize("kind", FAMILIES)
def test_traits_and_flags_are_fields_of_a_model(kind: str) -> None:
    family, known = FAMILIES[kind], {field.name for field in fields(Model)}
    assert {*family.traits, *(name for names in family.flags.values() for name in names)} <= known


def test_no_two_types_claim_an_architecture_but_those_that_share_it() -> None:
    owners: dict[str, list[str]] = {}
    for kind, family in FAMILIES.items():
        for name in family.architectures:
            owners.setdefault(name, []).append(kind)
    assert {name: kinds for name, kinds in owners.items() if len(kinds) > 1} == {
        "DeepseekV3ForCausalLM": ["deepseek_v3", "kimi_k2"]
    }


def test_every_family_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    assert [kind for kind in FAMILIES if f"`{kind}`" not in page] == []
