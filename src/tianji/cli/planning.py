"""``tianji plan``: the best strategies of a job on a pool."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import (
    SWITCHES,
    job_options,
    loss_options,
    read_loss,
    read_request,
    workers_option,
)
from tianji.cli.output import watch
from tianji.cli.outputs import Outputs, output_options
from tianji.cli.pool_options import POWER, RENT, read_pairs
from tianji.errors import FormatError, InfeasibleError

if TYPE_CHECKING:
    from tianji.report.documents.plan import RunsOnDocument

OBJECTIVES = ("time", "cost", "energy")
"""What a plan is the best in; of the last two the number of chips is chosen too."""
MOST_PLANS = 1000


@click.command("plan")
@click.argument("model")
@click.argument("pool")
@job_options
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="time",
    show_default=True,
    help="Fastest plan; or the number of chips, up to the pool's, with the least cost or energy of a useful token.",
)
@click.option(
    "--fix", multiple=True, metavar="FIELD=VALUE", help="Hold a strategy field, like tp=8; repeat or join by commas."
)
@click.option("--vary", multiple=True, type=click.Choice(SWITCHES), help="Try a switch on and off; repeat for more.")
@click.option(
    "--runs-on", "framework_to_run", metavar="FRAMEWORK",
    help="Only plans that this framework runs exactly: megatron, mindspeed, nemo, torchtitan, mindformers or deepspeed.",
)  # fmt: skip
@click.option("--top", default="5", show_default=True, metavar="K", help="How many plans to show.")
@click.option(
    "--explain", "explain", metavar="LAYOUT", help="Set a layout like tp=8,pp=4 against the best, term by term."
)
@RENT
@POWER
@loss_options
@click.option("--out", metavar="FILE", help="Write the best plan as a file for `tianji predict`.")
@workers_option
@output_options
def plan_command(
    model: str, pool: str, objective: str, fix: tuple[str, ...], vary: tuple[str, ...], framework_to_run: str | None, top: str,
    explain: str | None, rent: tuple[str, ...], power: tuple[str, ...], loss: str, replica_chips: str | None,
    out: str | None, workers: str, outputs: Outputs, **options: Any,
) -> None:  # fmt: skip
    r"""Find the best way to cut MODEL over POOL.

    MODEL is a name of the catalog or the path of a config.json, POOL a name or the path of a TOML file. Every legal
    strategy is priced; the fastest that fit are shown, with where the time and the memory go.

    \b
    Examples:
      tianji plan deepseek-v3 cloudmatrix384 --tokens 14.8T
      tianji plan ./config.json hgx-h100 --chips 2048 --batch 2048 --seq 8192
      tianji plan llama-3.1-405b hgx-h100 --chips 1024 --fix tp=8,zero=1 --top 10
      tianji plan llama-3.1-70b hgx-h100 --chips 64 --explain tp=8,pp=2
      tianji plan llama-3.1-70b hgx-h100 --chips 64 --html plan.html --plots plots --csv tables
      tianji plan deepseek-v3 cloudmatrix384 --chips 1536 --loss replica
      tianji plan deepseek-v3 atlas-900-a3-dies --runs-on mindspeed --out plan.json
      tianji plan llama-3.1-8b a100-h100        (a mixture of unlike chips)
    """
    from tianji.backends.mapping import open_mapper
    from tianji.catalog.mixtures import is_mixture
    from tianji.cli.allocation import keep_freed_memory
    from tianji.cli.mixed import plan_on_mixture
    from tianji.parallel.layouts import complete_layout, read_layout
    from tianji.parallel.legality import check
    from tianji.parallel.plan import Plan
    from tianji.parallel.plan_file import find_target, write_plan
    from tianji.prediction import predict
    from tianji.search import SearchOptions, plan
    from tianji.units import parse_count
    from tianji.validation.expected_gains import weigh_precedents

    keep_freed_memory()
    fixed = read_layout(",".join(fix), "--fix") if fix else {}
    reliability = read_loss(loss, replica_chips)
    wanted = parse_count(top, "--top")
    if wanted > MOST_PLANS:
        raise InfeasibleError(f"--top: {top} plans are more than anyone reads; expected at most {MOST_PLANS:,}")
    if objective == "time" and (rent or power):
        option = "--rent" if rent else "--power"
        raise FormatError(f"{option} counts only with --objective cost or energy; give one of them, or leave it out")
    if out is not None:
        find_target(out)
    if is_mixture(pool):
        refused = {
            "--explain": explain,
            "--out": out,
            "--vary": vary,
            "--workers": workers != "local",
            "--runs-on": framework_to_run,
            "--objective": objective != "time",
        }
        plan_on_mixture(model, pool, fixed, refused, reliability, outputs, options)
        return
    request = read_request(model, pool, **options)
    explained = None
    if explain is not None:
        layout = complete_layout(read_layout(explain, "--explain"), request.pool.chips)
        check(layout, request.job, request.pool)
        explained = predict(Plan(request.job, request.pool, layout), request.calibration)
    with open_mapper(workers) as mapper, watch("Pricing strategies") as progress:
        cheapest = None
        if objective != "time":
            from tianji.comparison import Assumptions
            from tianji.comparison.cheapest_size import find_cheapest_size

            given = Assumptions(
                rents=read_pairs(rent, "--rent", "money"),
                powers=read_pairs(power, "--power", "power"),
                reliability=reliability,
            )
            cheapest = find_cheapest_size(
                request.job, request.pool, request.calibration, objective, given, fixed=fixed, mapper=mapper
            )
            request = replace(request, pool=cheapest.pool)
        varied: dict[str, tuple[Any, ...]] = {name: (False, True) for name in vary}
        search = SearchOptions(fixed, varied, wanted, progress, mapper)
        where = (request.job, request.pool, request.calibration)
        runs_on: RunsOnDocument | None = None
        if framework_to_run is None:
            outcome = plan(*where, search)
        else:
            from tianji.export.runnable import plan_for_framework

            runnable = plan_for_framework(framework_to_run, *where, search)
            outcome = runnable.outcome
            runs_on = {"engine": runnable.framework, "faster_refused": runnable.refused, "why": runnable.why}
    if out is not None:
        write_plan(outcome.results[0].plan, out)
    from tianji.report.documents.plan import plan_document

    published = weigh_precedents(outcome.results[0], request.calibration)
    outputs.present(
        plan_document(
            outcome, request.calibration, objective=objective, explained=explained, reliability=reliability,
            cheapest=cheapest, published=published, runs_on=runs_on,
        )
    )  # fmt: skip
    if out is not None and not outputs.as_json:
        click.echo(f"\nPlan 1 is in {out}; `tianji predict {out}` explains it again.")
