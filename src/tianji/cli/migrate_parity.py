"""``tianji migrate parity`` and ``twin``: whether a moved run is right."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError


@click.command("parity")
@click.argument("reference")
@click.argument("candidate")
@click.option(
    "--repeat",
    "repeats",
    multiple=True,
    metavar="FILE",
    help="Another run of the reference: says what its noise is; may be given again.",
)
@click.option(
    "--standard",
    "standards",
    multiple=True,
    metavar="NAME",
    help="Standard to judge by; may be given again, all lists them.  [default: first loss, gradient norm, mean loss]",
)
@click.option(
    "--precision",
    default="",
    metavar="NAME",
    help="Number format of the less precise run, like bf16.  [default: by the files, or bf16]",
)
@click.option("--metric", default="", metavar="NAME", help="Task metric of both logs to set side by side.")
@output_options
def parity_command(
    reference: str, candidate: str, repeats: tuple[str, ...], standards: tuple[str, ...], precision: str, metric: str,
    outputs: Outputs,
) -> None:  # fmt: skip
    r"""Judge a run on the target by a reference run: noise first, then named standards, then where they part.

    Takes results of `tianji run`, logs of Megatron, MindSpeed and MindFormers, JSON lines, CSV, JSON and TensorBoard's event
    files, or two dumps of msprobe. Exit code 1: a check fails.

    \b
    Examples:
      tianji migrate parity gpu.log npu.log --repeat gpu-2.log --repeat gpu-3.log
      tianji migrate parity runs/gpu runs/npu --html parity.html
      tianji migrate parity gpu.jsonl npu.jsonl --standard megatron-golden-approximate --precision bf16
      tianji migrate parity dump-gpu/step0 dump-npu/step0
    """
    from tianji.migration.parity import compare_dumps, is_dump, judge_parity, load_standards, read_dump, read_run
    from tianji.report.documents.parity import (
        MoveDumpsDocument,
        MoveParityDocument,
        dump_document,
        parity_document,
    )

    document: MoveParityDocument | MoveDumpsDocument
    if is_dump(reference) or is_dump(candidate):
        document = dump_document(reference, candidate, compare_dumps(read_dump(reference), read_dump(candidate)))
    else:
        names = tuple(load_standards()) if "all" in standards else standards
        runs = [read_run(path) for path in (reference, candidate, *repeats)]
        document = parity_document(judge_parity(runs[0], runs[1], runs[2:], names, precision, metric))
    outputs.present(document)
    if document["outcome"] == "fail":
        sys.exit(1)


@click.command("twin")
@click.argument("model", metavar="MODEL")
@click.option("--out", required=True, metavar="DIR", help="A new folder for the plan, the weights and both runs.")
@click.option(
    "--weights",
    default="",
    metavar="FILE|DIR",
    help="Weights to carry over: safetensors, a state dict of PyTorch, npz.  [default: those beside the config.json, or drawn]",
)
@click.option("--steps", default=20, show_default=True, metavar="N", help="Optimizer steps of each run.")
@click.option("--batch", default=8, show_default=True, metavar="N", help="Sequences of a step.")
@click.option("--seq", "seq_len", default=128, show_default=True, metavar="N", help="Tokens of a sequence.")
@click.option("--layers", default=0, metavar="N", help="Take the first N layers only.  [default: all]")
@click.option("--learning-rate", default=1e-4, show_default=True, metavar="X", help="Step size of AdamW.")
@click.option(
    "--data", default="", metavar="PATH", help="A text, or token numbers (.u16, .u32).  [default: a text that ships]"
)
@click.option(
    "--repeats", default=1, show_default=True, metavar="N", help="Further runs by PyTorch, which say what its noise is."
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of weights that are drawn.")
@click.option("--no-run", is_flag=True, help="Write the plan and the weights, and run nothing.")
@output_options
def twin_command(
    model: str, out: str, weights: str, steps: int, batch: int, seq_len: int, layers: int, learning_rate: float, data: str,
    repeats: int, seed: int, no_run: bool, outputs: Outputs,
) -> None:  # fmt: skip
    r"""Train a model by PyTorch and by MindSpore from the same weights, and judge MindSpore's run by PyTorch's.

    MODEL is a config.json, a folder or repository that holds one, or a name of the catalog: a dense model of llama, mistral,
    qwen2 or qwen3. The weights are carried over to both executors, with the norm's epsilon and the rotary settings of the config;
    both run in fp32 on this machine's CPU. Exit code 1: a check of parity fails.
    Needs the extra 'tianji[run]', and MindSpore in an environment of its own: bash scripts/setup mindspore.

    \b
    Examples:
      tianji migrate twin my-model --out twin
      tianji migrate twin config.json --weights model.safetensors --out twin --html twin.html
      tianji migrate twin llama-3.1-8b --layers 1 --seq 64 --batch 2 --out twin
      tianji migrate twin my-model --out twin --no-run
    """
    from tianji.backends import RunOptions
    from tianji.migration.twin import TwinSizes, make_twin, run_twin
    from tianji.report.documents.twin import twin_document

    if repeats < 0:
        raise FormatError(f"--repeats: expected at least 0, got {repeats}")
    if steps < 2:
        raise FormatError(f"--steps: expected at least 2, which parity compares, got {steps}")
    options = RunOptions(steps=steps, warmup=0, data=data, learning_rate=learning_rate, seed=seed)
    twin = make_twin(model, Path(out), weights, TwinSizes(seq_len, batch, layers, seed))
    ran = None if no_run else run_twin(twin, options, repeats, lambda text: click.echo(text, err=True))
    document = twin_document(twin, ran)
    outputs.present(document)
    if document["outcome"] == "fail":
        sys.exit(1)
