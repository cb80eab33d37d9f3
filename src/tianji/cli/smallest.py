"""``tianji smallest``: on how few chips a model can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import calibration_option
from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("smallest")
@click.argument("model")
@click.argument("pools", nargs=-1, required=True, metavar="POOL...")
@click.option(
    "--tasks", default="pretrain,sft,lora", show_default=True, metavar="NAMES",
    help="What is trained, joined by commas: pretrain, sft, lora, qlora, reward, embedding.",
)  # fmt: skip
@click.option("--runs-on", "runs_on", multiple=True, metavar="FRAMEWORK",
              help="Also the smallest number whose plan this framework runs exactly; repeat for more.")  # fmt: skip
@click.option("--batch", metavar="N", help="Global batch, in sequences.  [default: usual for each task]")
@click.option("--seq", metavar="N", help="Tokens of one sequence.  [default: usual for each task]")
@click.option(
    "--precision", metavar="NAME",
    help="Number formats of the run.  [default: as in the published run, on chips that have it; else bf16]",
)  # fmt: skip
@click.option(
    "--loss-kernel", metavar="NAME",
    help="Cross entropy: plain, torch, fused, in-place, compiled or chunked.  [default: plain]",
)  # fmt: skip
@click.option("--lora-rank", metavar="R", help="Rank of adapters.  [default: 16]")
@click.option(
    "--lora-targets", metavar="NAMES", help="Matrices with adapters: qkv, proj, mlp, experts.  [default: all]"
)
@click.option("--lengths", metavar="TOKENS|FILE", help="Samples packed into each sequence.  [default: one]")
@click.option("--margin", metavar="SHARE", help="Share of the usable memory that stays free.  [default: 3%]")
@click.option("--most", default="4096", show_default=True, metavar="N", help="Chips that are tried at most.")
@calibration_option
@answering
def smallest_command(model: str, pools: tuple[str, ...], **options: Any) -> Answer[Any]:
    r"""Say on how few chips of each POOL the MODEL can be trained, and what fewer would take.

    \b
    Examples:
      tianji smallest llama-3.1-70b hgx-h100
      tianji smallest qwen2.5-32b atlas-900-a2 --tasks sft,lora --seq 4096 --batch 64 --runs-on mindspeed
    """
    from tianji.api.smallest_size import smallest

    return smallest(model, *pools, **options)
