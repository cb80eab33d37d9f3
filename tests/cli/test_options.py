"""Options that commands share: read into a request, each strategy field once."""

import click
import pytest

from tianji.cli.options import (
    SWITCHES,
    drop_strategy_options,
    job_options,
    read_request,
    read_strategy_options,
    strategy_options,
)
from tianji.errors import FormatError
from tianji.parallel.strategy import FIELDS

JOB = {
    "batch": "64",
    "seq": "4k",
    "tokens": "1T",
    "optimizer_dtype": "bf16",
    "moe_imbalance": "1.5",
    "calibration": "none",
}


def test_a_request_holds_what_the_options_say() -> None:
    request = read_request("mixtral-8x7b", "hgx-h100", chips="1k", precision="fp8", **JOB)
    job = request.job
    assert (job.seq_len, job.global_batch_size, job.tokens, job.moe_imbalance) == (4000, 64, 1e12, 1.5)
    assert (job.precision.name, job.precision.optimizer_size) == ("fp8", 8.0)
    assert request.pool.chips == 1000
    assert request.calibration.name == "none"


def test_the_pool_keeps_its_own_count_unless_told() -> None:
    assert read_request("mixtral-8x7b", "cloudmatrix384", chips=None, precision="bf16", **JOB).pool.chips == 384


def test_every_field_of_a_strategy_has_one_option() -> None:
    @click.command()
    @strategy_options
    @job_options
    def command() -> None:
        """Do nothing."""

    names = [p.name for p in command.params]
    assert [n for n in names if n and n.startswith("strategy_")] == [f"strategy_{f}" for f in FIELDS]
    assert {"chips", "batch", "seq", "tokens", "precision", "calibration"} <= set(names)


def test_only_given_fields_are_read_and_the_rest_is_left() -> None:
    options = {"strategy_tp": "8", "strategy_pp": None, "strategy_overlap_dp": False, "chips": "8"}
    assert read_strategy_options(options) == {"tp": 8, "overlap_dp": False}
    assert drop_strategy_options(options) == {"chips": "8"}


def test_a_value_out_of_its_range_is_refused() -> None:
    with pytest.raises(FormatError, match=r"strategy\.zero"):
        read_strategy_options({"strategy_zero": "9"})


def test_switches_are_the_fields_that_are_on_or_off() -> None:
    assert "overlap_ep" in SWITCHES
    assert "tp" not in SWITCHES
