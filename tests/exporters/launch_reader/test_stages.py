"""What each stage holds by the options of a launch, as Megatron-LM and MindSpeed deal layers out."""

import pytest

from tianji.errors import FormatError
from tianji.exporters.launch_reader.options import Options
from tianji.exporters.launch_reader.stages import name_stages, read_stage_options
from tianji.parallel.strategy import Strategy
from tianji.workload import Model
from tianji.workload.huggingface import read_config

SIZES = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 256,
}


def model_of(num_layers: int) -> Model:
    return read_config(SIZES | {"num_hidden_layers": num_layers}, "tiny")


def read(num_layers: int, strategy: Strategy, **given: str) -> tuple[int, ...] | None:
    """Return the layers of each chunk by some options, which are named without their dashes."""
    options = Options(
        "run.sh", {"--" + name.replace("_", "-"): [value] if value else [] for name, value in given.items()}
    )
    stages = read_stage_options(options, model_of(num_layers), strategy)
    return None if stages is None else stages.layers


FOUR = Strategy(pp=4)
ROUND = Strategy(pp=2, vpp=2, schedule="interleaved")


@pytest.mark.parametrize(
    ("num_layers", "strategy", "given", "layers"),
    [
        (8, FOUR, {}, (2, 2, 2, 2)),
        (30, FOUR, {}, None),
        (46, FOUR, {}, None),
        (14, FOUR, {"num_layer_list": "3,4,4,3"}, (3, 4, 4, 3)),
        (14, FOUR, {"pipeline_model_parallel_layout": "Et*3|(t*4|)*2t*3L"}, (3, 4, 4, 3)),
        (61, FOUR, {"decoder_last_pipeline_num_layers": "13"}, (16, 16, 16, 13)),
        (30, FOUR, {"decoder_first_pipeline_num_layers": "7", "decoder_last_pipeline_num_layers": "7"}, (7, 8, 8, 7)),
        (12, ROUND, {"decoder_first_pipeline_num_layers": "4"}, (2, 4, 2, 4)),
        (
            30,
            FOUR,
            {"account_for_embedding_in_pipeline_split": "", "account_for_loss_in_pipeline_split": ""},
            (7, 8, 8, 7),
        ),
        (15, ROUND, {"account_for_loss_in_pipeline_split": ""}, (4, 4, 4, 3)),
        (46, FOUR, {"noop_layers": "0,47"}, (11, 12, 12, 11)),
        (13, FOUR, {"num_layer_list": "3,4,4,3", "noop_layers": "13"}, (3, 4, 4, 2)),
        (30, Strategy(pp=2, schedule="dualpipev"), {"noop_layers": "30,31"}, (8, 8, 8, 6)),
    ],
)
def test_layers_by_the_options(
    num_layers: int, strategy: Strategy, given: dict[str, str], layers: tuple[int, ...] | None
) -> None:
    assert read(num_layers, strategy, **given) == layers


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_layer_list": "3,4,7"}, "--num-layer-list 3,4,7 names 3 stages; the pipeline has 4"),
        (
            {"num_layer_list": "3,4,4,4"},
            "--num-layer-list 3,4,4,4 names 15 layers, which MindSpeed builds; the model has 14",
        ),
        ({"num_layer_list": "$LAYERS"}, "--num-layer-list: expected the layers of each chunk"),
        ({"decoder_first_pipeline_num_layers": "3"}, "leave no even share"),
        ({"pipeline_model_parallel_layout": "Et|x|tL"}, "--pipeline-model-parallel-layout: expected"),
    ],
)
def test_what_no_framework_takes_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(FormatError, match=message.replace("$", r"\$")):
        read(14, FOUR, **given)


def test_stages_as_they_are_dealt_are_not_named() -> None:
    options = Options("run.sh", {"--num-layer-list": ["3,4,4,3"]})
    model = model_of(14)
    stages = read_stage_options(options, model, FOUR)
    assert name_stages(model, FOUR, stages) == FOUR
    other = read_stage_options(Options("run.sh", {"--num-layer-list": ["4,4,4,2"]}), model, FOUR)
    assert name_stages(model, FOUR, other).stages == "E" + "t*4|(t*4|)*2t*2L"


def test_embedding_and_loss_that_count_as_layers_may_lie_alone() -> None:
    counted = {"account_for_embedding_in_pipeline_split": "", "account_for_loss_in_pipeline_split": ""}
    strategy = Strategy(pp=4, vpp=2, schedule="interleaved")
    assert read(6, strategy, **counted) == (0, 1, 1, 1, 1, 1, 1, 0)
    options = Options("run.sh", {"--" + name.replace("_", "-"): [] for name in counted})
    named = name_stages(model_of(6), strategy, read_stage_options(options, model_of(6), strategy))
    assert named.stages == "E|(t|)*6L"
