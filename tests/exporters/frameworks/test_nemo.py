"""NeMo: the recipe says in Python what Megatron's options say, each where it belongs."""

import ast

import pytest

import tianji
from tianji.exporters import render_plan
from tianji.exporters.formats.layer_patterns import read_pattern
from tianji.parallel.plan import Plan


def fields_of(model: str, **strategy: object) -> dict[str, str]:
    made = tianji.Strategy(**strategy)  # type: ignore[arg-type]
    job = tianji.make_job(model, seq_len=4096, global_batch_size=64, precision="bf16")
    text = render_plan(Plan(job, tianji.load_pool("hgx-h100", made.chips), made), "nemo").artefacts[0].text
    assigned = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.unparse(node.value) for node in assigned}


@pytest.mark.parametrize(
    ("model", "provider"), [("deepseek-v3", "MLAModelProvider"), ("llama-3.1-8b", "GPTModelProvider")]
)
def test_the_model_is_the_provider_of_its_attention(model: str, provider: str) -> None:
    assert fields_of(model, pp=4, dp=8)["model"].startswith(f"{provider}(num_layers=")


def test_options_go_to_their_owners() -> None:
    fields = fields_of("llama-3.1-8b", tp=2, dp=4, zero=1, offload_optimizer=True, placement="pp-inside", pp=2)
    assert fields["cfg.ddp.use_distributed_optimizer"] == "True"
    assert fields["cfg.optimizer.optimizer_cpu_offload"] == "True"
    assert fields["cfg.dist.use_tp_pp_dp_mapping"] == "True"
    assert fields["model.tensor_model_parallel_size"] == "2"


def test_switches_of_another_sense_are_turned() -> None:
    fields = fields_of("llama-3.1-8b", dp=8)
    assert (fields["model.add_bias_linear"], fields["model.gated_linear_unit"]) == ("False", "True")
    assert fields["model.share_embeddings_and_output_weights"] == "False"


def test_lists_of_layers_are_lists_of_python() -> None:
    pattern = fields_of("deepseek-v3", pp=4, dp=8)["model.moe_layer_freq"]
    assert read_pattern(pattern, "recipe") == [0] * 3 + [1] * 58
