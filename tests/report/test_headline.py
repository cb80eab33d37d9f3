"""The lines above the tables: sizes, tiers, assumptions, and on what the times lean."""

import io

from rich.console import Console

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.hardware.calibration import Calibration
from tianji.ranges import Range
from tianji.report.headline import describe_job, describe_pool, describe_range, describe_trust, print_headline


def console_of(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, record=True, color_system=None)


def test_a_job_in_a_line() -> None:
    text = describe_job(make_job("mixtral-8x7b", 4096, 512, "2T", "fp8", moe_imbalance=1.5))
    for part in ("46.7B parameters", "12.9B active", "fp8", "512 sequences of 4,096", "2T tokens", "1.5 x the mean"):
        assert part in text
    assert "active" not in describe_job(make_job("llama-3.1-8b", 4096, 512))


def test_a_pool_in_a_line_with_its_tiers_from_the_inside() -> None:
    text = describe_pool(load_pool("hgx-h100", 64))
    assert text.startswith("hgx-h100: 64 x H100 SXM5 80GB with 80 GiB each; NVLink 8 at 450 GB/s")
    assert "64 at 50 GB/s" in text


def test_trust_names_its_measurements_or_their_lack() -> None:
    calibration = load_calibration()
    assert "measured: " in describe_trust(calibration, load_pool("hgx-h100"))
    assert "nobody outside has measured" in describe_trust(calibration, load_pool("atlas-950-superpod"))
    assert "lower bound" in describe_trust(Calibration(), load_pool("hgx-h100"))


def test_a_range_is_shown_with_what_it_leans_on() -> None:
    assert describe_range(Range(2.0, 2.0, 2.0)) == "2.00 s"
    assert describe_range(Range(1.0, 2.0, 4.0, "measured")) == "2.00 s (80 % range 1.00 s to 4.00 s, measured)"


def test_what_was_not_said_is_told() -> None:
    console = console_of(80)
    print_headline(console, make_job("deepseek-v3"), load_pool("hgx-h100"), Calibration())
    assert "Assumed" in console.export_text()
