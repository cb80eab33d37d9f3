"""One job, one number: a plan for a framework, its script, a row of a measured table and Python agree."""

from pathlib import Path

import pytest

import tianji
from tianji.api.started_software import SOFTWARE_OF, SOFTWARE_OF_TARGET, WRITTEN, name_started
from tianji.catalog import list_software, load_chip
from tianji.exporters.frameworks.megatron import MEGATRON
from tianji.formatting import format_duration, format_percent

ARGUMENTS = """
torchrun --nproc-per-node 8 --nnodes 2 pretrain_gpt.py --num-layers 48 --hidden-size 2048 --ffn-hidden-size 6144
 --num-attention-heads 32 --group-query-attention --num-query-groups 4 --kv-channels 128 --seq-length 4096 --vocab-size 151936
 --micro-batch-size 1 --global-batch-size 64 --swiglu --bf16 --num-experts 128 --moe-router-topk 8 --moe-ffn-hidden-size 768
 --expert-model-parallel-size 8 --use-distributed-optimizer --overlap-grad-reduce --overlap-param-gather
 --moe-grouped-gemm --moe-token-dispatcher-type alltoall
"""


def test_a_plan_its_script_and_a_measured_row_have_one_number(tmp_path: Path) -> None:
    fixed = "tp=2,pp=1,mbs=1,zero=1,recompute=none"
    found = tianji.plan(
        "llama-3.1-8b", "hgx-h100", chips=8, batch=64, seq=4096, fix=fixed, runs_on="megatron", out=tmp_path / "p.json"
    )
    planned, s = found.best.step_time, found.best.plan.strategy
    tianji.export(tmp_path / "p.json", "megatron", out=tmp_path)
    script = tianji.predict(from_=tmp_path / MEGATRON.script, pool="hgx-h100", set_={"TRAIN_ITERS": "10"})
    assert script.result.step_time.nominal == pytest.approx(planned.nominal)
    assert (script.result.memory_total, script.result.memory_limit) == pytest.approx(
        (found.best.memory_total, found.best.memory_limit)
    )
    file = tianji.predict(tmp_path / "p.json")
    assert file.result.step_time == planned
    table = tmp_path / "runs.csv"
    row = {
        "id": "one", "pool": "hgx-h100", "n_chips": 8, "chips_per_node": 8, "framework": "megatron-lm",
        "tp_overlap": "userbuffers", "arch_key": "llama3_8b", "seq_len": 4096, "global_batch_size": 64,
        "micro_batch_size": s.micro_batch_size, "precision": "bf16", "tp": 2, "pp": 1, "cp": s.cp, "dp": s.dp, "zero": 1,
        "sequence_parallel": "true", "recompute": "none", "flash_attention": "true",
        "overlap_tp": "true", "overlap_dp": "true", "overlap_pp": "true", "weight_gather": "hidden",
        "step_time_s": planned.nominal,
    }  # fmt: skip
    table.write_text(",".join(row) + "\n" + ",".join(str(v) for v in row.values()) + "\n", encoding="utf-8")
    (validated,) = tianji.validate(table).result.predictions
    assert validated.step_time == pytest.approx(planned.nominal, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "pool", "chips", "target", "read"),
    [
        ("qwen3-30b-a3b", "hgx-h100", 16, "megatron", "pretrain_megatron.sh"),
        ("llama-3.1-8b", "atlas-900-a2", 16, "mindspeed", "pretrain_mindspeed.sh"),
        ("qwen3-8b", "atlas-900-a2", 16, "mindformers", "mindformers.yaml"),
        ("llama-3.1-8b", "dgx-b200", 8, "torchtitan", "torchtitan.toml"),
    ],
)
def test_a_plan_its_file_and_what_is_exported_have_one_number(
    model: str, pool: str, chips: int, target: str, read: str, tmp_path: Path
) -> None:
    sizes = {"chips": chips, "batch": 64, "seq": 4096}
    planned = tianji.plan(model, pool, runs_on=target, fix="pp=1", top=1, out=tmp_path / "p.json", **sizes).best
    tianji.export(tmp_path / "p.json", target, out=tmp_path / "files")
    (file,) = (tmp_path / "files").rglob(read)
    again = [
        tianji.predict(tmp_path / "p.json"),
        tianji.predict(from_=file, pool=pool, chips=chips, set_={"TRAIN_ITERS": "10"}),
    ]
    for one in again:
        assert one.result.step_time.nominal == pytest.approx(planned.step_time.nominal, rel=1e-9)


def test_assumed_software_says_what_a_plan_takes_under_it_by_itself() -> None:
    asked = {"chips": 8, "batch": 64, "seq": 4096}
    document = tianji.plan("llama-3.1-8b", "atlas-900-a2", fix="tp=8", top=1, **asked).document
    way, without = document["software"]["beyond"]
    layout = document["plans"][0]["strategy"] | {"overlap_tp": False}
    alone = tianji.predict("llama-3.1-8b", "atlas-900-a2", layout, **asked).result.step_time.nominal
    longer = alone / document["plans"][0]["step_time_s"] - 1.0
    assert way == "tensor-parallel links hidden"
    assert longer > 0.05
    assert without == f"by itself this plan takes {format_duration(alone)} ({format_percent(longer)} longer)"


def test_a_launch_says_its_software_and_its_switches(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"

    def predict(more: str = "", **asked: str) -> tianji.Answer[tianji.Result]:
        script.write_text(ARGUMENTS.replace("\n", " ") + more, encoding="utf-8")
        return tianji.predict(from_=script, pool="hgx-h100", **asked)

    plain, graphed = predict(), predict(" --cuda-graph-impl transformer_engine --moe-permute-fusion")
    whole = predict(" --cuda-graph-impl local --cuda-graph-scope full_iteration --cross-entropy-loss-fusion")
    software = plain.document["software"]
    assert (software["name"], software["is_stated"], software["switches"]["launch"]) == ("megatron-lm", True, "eager")
    assert any("software megatron-lm, which the launch starts" in text for text in plain.document["assumptions"])
    shown = [one.document["software"]["switches"] for one in (graphed, whole)]
    assert [(s["launch"], s["permute"], s["loss"]) for s in shown] == [
        ("partial_graph", "fused", "plain"), ("full_graph", "plain", "fused"),
    ]  # fmt: skip
    times = [one.result.step_time.nominal for one in (plain, graphed, whole)]
    assert times[0] > times[1] > times[2]
    assert predict(software="megatron-bridge").document["software"]["name"] == "megatron-bridge"
    assert tianji.predict(from_=script, pool="atlas-900-a2").document["software"]["name"] == "mindspeed"


def test_names_of_started_software_are_known() -> None:
    assert {*SOFTWARE_OF.values(), *SOFTWARE_OF_TARGET.values()} <= set(list_software())
    assert set(WRITTEN) <= set(SOFTWARE_OF_TARGET)
    assert name_started("megatron", load_chip("ascend-910b2")) == ""
    assert name_started("a-trainer", load_chip("h100-sxm")) == "a-trainer"
