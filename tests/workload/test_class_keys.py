"""Every key that a family's own class has is accepted in a file of that family."""

import json
from pathlib import Path

import pytest

from tianji.errors import UnsupportedModelError
from tianji.workload.class_facts import FILE, keys_known
from tianji.workload.family_files import load_families
from tianji.workload.foreign_keys import INERT, STRUCTURES, refuse_foreign
from tianji.workload.huggingface import read_config
from tianji.workload.keys import check_spelling

COUNTED = json.loads((Path(__file__).parent / "data" / "class_counts.json").read_text())["types"]
TYPES = json.loads(FILE.read_text())["types"]
TINY = {
    "model_type": "gemma3_text", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "intermediate_size": 128, "vocab_size": 100, "sliding_window": 32, "tie_word_embeddings": True,
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_no_key_of_the_own_class_is_taken_for_misspelt_or_foreign(kind: str) -> None:
    family = load_families()[kind]
    facts = TYPES[kind]
    for key in {*facts["knows"], *facts["defaults"], *INERT}:
        check_spelling(family, {key: 3}, keys_known(kind) | INERT, "config.json")
        refuse_foreign({key: 3}, kind, family, "config.json")


def test_a_structure_that_a_class_names_is_read_by_some_family() -> None:
    """A key that a class has beside what its family reads is not refused: where it announces a structure, its code has none."""
    read = {key for family in load_families().values() for key in family.keys()}  # noqa: SIM118
    unread = {(kind, key) for kind in TYPES for key in TYPES[kind]["knows"] if key in STRUCTURES and key not in read}
    assert unread == set()


def test_the_pattern_that_newer_files_write_is_read() -> None:
    """transformers 4.57 and later write ``_sliding_window_pattern``, with ``layer_types`` that say the same."""
    kinds = ["sliding_attention"] * 3 + ["full_attention"]
    new = read_config(TINY | {"_sliding_window_pattern": 4, "layer_types": kinds}, "x")
    old = read_config(TINY | {"sliding_window_pattern": 4}, "x")
    assert new == old


@pytest.mark.parametrize("kind", ["exaone", "internlm3"])
def test_files_of_these_types_may_name_the_class_of_llama(kind: str) -> None:
    content = {key: value for key, value in TINY.items() if key != "sliding_window"} | {"model_type": kind}
    other = read_config(content | {"architectures": ["LlamaForCausalLM"]}, "x")
    assert other.family == kind
    assert other.num_parameters == read_config(content, "x").num_parameters


def test_cross_attention_in_a_decoder_alone_is_refused() -> None:
    content = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100, "n_positions": 32}
    assert read_config(content | {"add_cross_attention": False}, "x").num_parameters
    with pytest.raises(UnsupportedModelError, match="add_cross_attention = True"):
        read_config(content | {"add_cross_attention": True}, "x")


@pytest.mark.parametrize("kind", ["nemotron_h", "kimi_linear", "bailing_hybrid", "xlstm"])
def test_classes_that_tie_nothing_have_two_tables_whatever_the_file_says(kind: str) -> None:
    """Built with the flag, the classes of transformers 5.24.0 hold as many parameters as without it."""
    content = {key: value for key, value in COUNTED[kind]["config"].items() if key != "tie_word_embeddings"}
    model = read_config(content | {"tie_word_embeddings": True}, "x")
    assert model.num_parameters == read_config(content | {"tie_word_embeddings": False}, "x").num_parameters
    assert "tie_word_embeddings" in model.remark


def test_the_class_of_the_text_part_asks_the_part_whether_its_tables_are_one() -> None:
    text = TINY | {"tie_word_embeddings": False}
    whole = {"model_type": "gemma3", "text_config": text, "tie_word_embeddings": True}
    causal = read_config(whole | {"architectures": ["Gemma3ForCausalLM"]}, "x")
    both = read_config(whole | {"architectures": ["Gemma3ForConditionalGeneration"]}, "x")
    assert not causal.tied_embeddings
    assert both.tied_embeddings
