"""``tianji run``: train a plan's model for real, and measure it."""

from __future__ import annotations

from typing import Any

import click

from tianji.cli.outputs import Outputs, output_options


@click.command("run")
@click.argument("plan", metavar="PLAN.json")
@click.option(
    "--twin", metavar="N", help="Run the plan scaled down to at most N ranks, cut along the same axes, and explain it."
)
@click.option(
    "--backend", default="torch", show_default=True, metavar="NAME", help="What computes: torch or mindspore."
)
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="NAME",
    help="What starts the ranks and watches over them: local (processes here) or ray (a cluster).",
)
@click.option("--steps", default=10, show_default=True, metavar="N", help="Optimizer steps, the warm-up among them.")
@click.option("--warmup", default=2, show_default=True, metavar="N", help="Steps at the start that are not measured.")
@click.option(
    "--data",
    default="",
    metavar="PATH",
    help="A text, read by bytes, or token numbers (.u16, .u32).  [default: a short text that ships]",
)
@click.option(
    "--out",
    default="out",
    show_default=True,
    metavar="DIR",
    help="A new folder for the result, the journals, the logs and the trace.",
)
@click.option("--optimizer", default="adamw", show_default=True, metavar="adamw|sgd", help="What updates the weights.")
@click.option("--learning-rate", default=1e-3, show_default=True, metavar="X", help="Step size of the optimizer.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the first weights.")
@click.option(
    "--weights",
    default="",
    metavar="FILE",
    help="First weights, as `tianji migrate twin` writes them.  [default: drawn from the seed]",
)
@click.option("--device", default="", metavar="cpu", help="cpu: processes on the CPU, even beside an accelerator.")
@click.option(
    "--trace/--no-trace",
    default=True,
    show_default=True,
    help="Profile one more step: the breakdown, the traffic, and trace.json for Perfetto.",
)
@click.option(
    "--checkpoint-every", default=0, show_default=True, metavar="N", help="Steps between checkpoints; 0: none."
)
@click.option("--resume", default="", metavar="DIR", help="Go on from a complete checkpoint, under any other plan.")
@click.option("--port", default=0, metavar="N", help="Where the ranks meet.  [default: any free port]")
@output_options
def run_command(plan: str, twin: str | None, outputs: Outputs, **options: Any) -> None:
    r"""Train the model of a plan for real, as the plan cuts it, and measure it.

    One process a chip of the plan: on the machine's accelerators, or without any on its CPU (gloo). What is measured goes to
    a new folder as it happens, and ends in result.json, which `tianji explain` puts beside the prediction.
    Needs the extra: pip install '.[run]', and '.[ray]' for --engine ray.

    \b
    Examples:
      tianji run plan.json
      tianji run plan.json --steps 20 --data corpus.txt --out runs/first
      tianji run plan.json --twin 4
      tianji run plan.json --engine ray
      tianji run plan.json --checkpoint-every 5 && tianji run other.json --resume out/checkpoints/step-000000009 --out on
    """
    from tianji.api.running import explain, run

    answer = run(plan, twin=twin, **options)
    outputs.present(answer)
    if twin is not None and not outputs.as_json:
        click.echo()
        explain(answer).show()
