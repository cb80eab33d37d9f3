"""``tianji migrate``: what a move of a training repository to Ascend meets, which versions fit, and whether it is right."""

from __future__ import annotations

import sys
from typing import Any

import click

from tianji.cli.options import add_options
from tianji.cli.outputs import Outputs, output_options

_version_files = add_options(
    click.option("--constraints", metavar="FILE", help="Also write the versions as a constraints file for pip."),
    click.option("--dockerfile", metavar="FILE", help="Also write a Dockerfile that installs them."),
)


@click.group("migrate")
def migrate_command() -> None:
    r"""Say what a move of a training repository to Ascend takes, and prove that it is right.

    A repository is read and never run. Tables of what Ascend supports come with Tianji, with their sources and dates; a folder
    of your own in TIANJI_CATALOG may correct or extend them.

    \b
    Examples:
      tianji migrate scan my-repository
      tianji migrate versions --to atlas-900-a3-superpod --with vllm
      tianji migrate parity gpu.jsonl npu.jsonl
      tianji migrate twin my-model --out twin
    """


@migrate_command.command("scan")
@click.argument("repository")
@click.option(
    "--to",
    default="atlas-900-a2",
    show_default=True,
    metavar="POOL|mindspore",
    help="Pool with Ascend chips to move to, or mindspore for the framework of that name.",
)
@click.option("--torch", metavar="VERSION", help="PyTorch on the target.  [default: the newest known]")
@click.option(
    "--entry",
    multiple=True,
    metavar="FILE",
    help="Python file of the repository to start from; may be given again.  [default: found by their names]",
)
@_version_files
@click.option("--patch", metavar="FILE", help="Also write the mechanical part of the move as a unified diff.")
@click.option(
    "--patch-style",
    default="auto",
    show_default=True,
    metavar="auto|neutral|import",
    help="Code that names no device, or an import that patches torch or Megatron as they load.",
)
@click.option(
    "--model",
    metavar="NAME|FILE",
    help="Model that is trained: of the catalog, or a config.json.  [default: one in the repository]",
)
@click.option("--present", metavar="POOL", help="Pool that trains it now, like 64xhgx-h100, to compare the speed with.")
@click.option(
    "--chips", metavar="N", help="Chips of the target.  [default: those of the present pool, or of the entry]"
)
@click.option("--twin", metavar="DIR", help="With --to mindspore: also make the model's twin there and run it.")
@click.option(
    "--weights", metavar="FILE|DIR", help="Weights of the twin.  [default: those beside the config.json, or drawn]"
)
@output_options
def scan_command(repository: str, outputs: Outputs, **options: Any) -> None:
    r"""Read a repository and say what a move to Ascend meets in it.

    Each finding has file, line, the symbol resolved through imports, what it means on the chip under the version of PyTorch,
    the answer, how mechanical it is, and its source. Files reached from the entry points stand first; tests, documents,
    other scripts and what a framework already handles stand apart.

    \b
    Examples:
      tianji migrate scan my-repository
      tianji migrate scan my-repository --to atlas-950-superpod --torch 2.10 --html move.html
      tianji migrate scan my-repository --entry train.py --json
      tianji migrate scan my-repository --constraints constraints.txt --dockerfile Dockerfile.npu
      tianji migrate scan my-repository --patch npu.patch && patch -d my-repository -p1 < npu.patch
      tianji migrate scan my-repository --to mindspore --twin twin --weights model.safetensors
    """
    from tianji.api.migrating import scan

    outputs.present(scan(repository, **options))


@migrate_command.command("versions")
@click.option("--to", default="atlas-900-a2", show_default=True, metavar="POOL", help="Pool with Ascend chips.")
@click.option("--torch", metavar="VERSION", help="PyTorch that the set must have.")
@click.option(
    "--with",
    "with_",
    multiple=True,
    metavar="NAME[=VERSION]",
    help="Component that must be in the set, like vllm=0.11.0, megatron_core or python=3.11; may be given again.",
)
@click.option(
    "--environment",
    multiple=True,
    metavar="FILE",
    help="Check what is installed: the output of pip freeze, of npu-smi info, CANN's version file; - is stdin.",
)
@_version_files
@output_options
def versions_command(outputs: Outputs, **options: Any) -> None:
    r"""Say which versions of driver, CANN, PyTorch, torch_npu and their companions fit together.

    \b
    Examples:
      tianji migrate versions
      tianji migrate versions --to atlas-950-superpod --torch 2.10 --with vllm
      tianji migrate versions --with megatron_core=0.12.1 --constraints constraints.txt
      tianji migrate versions --environment freeze.txt --environment npu-smi.txt
    """
    from tianji.api.migrating import versions

    answer = versions(**options)
    outputs.present(answer)
    if not answer.result.fit:
        sys.exit(1)


@migrate_command.command("parity")
@click.argument("reference")
@click.argument("candidate")
@click.option(
    "--repeat",
    multiple=True,
    metavar="FILE",
    help="Another run of the reference: says what its noise is; may be given again.",
)
@click.option(
    "--standard",
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
def parity_command(reference: str, candidate: str, outputs: Outputs, **options: Any) -> None:
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
    from tianji.api.migrating import parity

    answer = parity(reference, candidate, **options)
    outputs.present(answer)
    if answer.document["outcome"] == "fail":
        sys.exit(1)


@migrate_command.command("twin")
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
@click.option("--seq", default=128, show_default=True, metavar="N", help="Tokens of a sequence.")
@click.option("--layers", default=0, metavar="N", help="Take the first N layers only.  [default: all]")
@click.option("--learning-rate", default=1e-4, show_default=True, metavar="X", help="Step size of AdamW.")
@click.option(
    "--data", default="", metavar="PATH", help="A text, or token numbers (.u16, .u32).  [default: a text that ships]"
)
@click.option(
    "--repeats", default=1, show_default=True, metavar="N", help="Further runs by PyTorch, which say what its noise is."
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of weights that are drawn.")
@click.option("--no-run", is_flag=True, help="Write the plan and the weights, and run nothing.")
@output_options
def twin_command(model: str, outputs: Outputs, **options: Any) -> None:
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
    from tianji.api.migrating import twin

    answer = twin(model, **options)
    outputs.present(answer)
    if answer.document["outcome"] == "fail":
        sys.exit(1)
