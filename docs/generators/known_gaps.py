"""The chapter on known gaps: which bars are missed, by how much, which rows do it, and why as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.accuracy.acceptance import Bar
from benchmarks.accuracy.held_out import HeldOut, cover
from benchmarks.accuracy.sources import COMPOSED
from tianji.report.vocabulary import percent_of, signed_percent_of
from tianji.validation import Verdict
from tianji.validation.accuracy import measure_accuracy
from tianji.validation.sweeps import measure_ranking

WORST = 10
"""Groups of rows that are named."""
LEAST_ROWS = 3

CAUSES = (
    "**Mixture of experts.** What it costs the host to route tokens, to permute them and to launch many small matmuls depends on "
    "the release (dispatcher, fused permutation, CUDA graphs), and most tables do not print these switches.",
    "**Releases.** The same setting published twice differs by up to 68 % across releases of a framework. A release that no row "
    "of split fit comes from is predicted like its family.",
    "**What a recipe's routing takes** differs from one mixture of experts to the next (GPT-OSS three times the mean in the rows "
    "of Megatron-Bridge). An effect of each recipe on it, hidden behind the layer's work, brings the error of left-out jobs of "
    "mixtures from 21.8 to 15.3 % (root mean square), and that of architectures that were left out on all chips from 27.3 to "
    "30.4 %; it was not done. An effect of each recipe on time as a whole of 6 in place of 3 % brings left-out jobs of mixtures "
    "from 28.0 to 26.2 % (each job weighing by the root of its rows) and rows of split check on GB200 from a median of 9.7 to "
    "10.5 %; it was not done, and that choice is not blind. Nor was a random walk from release to release, from NeMo on to "
    "Megatron-Bridge: it predicts left-out jobs on GB200 worse (12.9 for 11.1 %), because nearly all rows on GB200 are NeMo's "
    "and nearly all on GB300 Megatron-Bridge's, so that what is the chip's and what the software's cannot be told apart.",
    "**Small models.** vTrain's smallest jobs (hidden size 1,024 and 2,048) spend much of a step on launches. What the host "
    "needs for a launch is one constant for a chip here, and differs between hosts.",
    "**Layouts of small models on one node.** Nearly all of the mean regret is left in vTrain's single-node sweeps (5.4 %), "
    "whose times were put together from profiles and not measured (see above): errors there go with the pair of tp and "
    "micro-batch (on rows of split fit tp4 with 4: -12 %, tp8 with 2: -15 %, tp8 with 8: +11 %), and with no single term that "
    "was tried (heads, message size, launches). No law could follow them: over 8 chips a layer of hidden size 1,024 takes "
    "4.99 ms with a micro-batch of one sequence and 3.64 ms with one of eight. "
    "Communication that fills no gap between launches, with a rounded edge between the two, missed left-out jobs by 4.7 in place "
    "of 5.5 % and cost a regret of 5.7 in place of 3.8 % on rows of split fit; it was not done. "
    "Giving these rows constants of their own predicts left-out jobs of the other A100 rows better (6.5 for 7.9 %) and other "
    "frameworks worse (15.7 for 14.5 %); it was not done. InternEvo's sweeps, whose ranks broadcast their shares of ZeRO-1 one "
    "after the other, cost 20 % of regret until that way of gathering had a name (`weight_gather`), and 2.4 % since; that gain "
    "is not blind.",
    "**A source unlike all others.** Without vTrain's 900 single-node times (tiny models, nothing overlapped, put together from "
    "parts) the other sources predict them 22 % wrong at the median. Their ranges know it: what few runs told about (launches, "
    "narrow matmuls) counts most in such jobs, and makes 30 % to either side of what is 11 % with them. They are two thirds of "
    "the rows of split fit, so that they alone decide the coverage of left-out rows; the share of the constants' errors that "
    "ranges count (0.3, for all) was chosen by the interval score of left-out sources, these among them.",
    "**Bytes of the loss.** A cross entropy moves 36 bytes a logit where it is fused, 40 in PyTorch and 52 in Megatron-LM's own "
    "kernels. On Ascend, whose scripts ask for no fused one, it is priced at 52 (median error of left-out jobs on 910B2 7.6 in "
    "place of 8.1 %, of rows of split check 9.5 in place of 9.9 %, seen before it was done), elsewhere at 36. Priced apart by "
    "framework, left-out jobs of the fit are missed by 5.0 in place of 5.2 % and rows of split check on H100 by 5.3 in place of "
    "4.3 %; that was not done, and the choice is not blind.",
    "**Ascend 910B.** Errors spread over many jobs, with no term in common. Of the rows of split fit that were left out with "
    "their job, DeepSeek-V2 under MindFormers is predicted three times too fast, GPT2-13B half as fast as it ran and LLaMA3-8B "
    "at 128K tokens 55 % too slow (its script asks for a band of the scores, `--sparse-mode 4`, whose width it does not state). "
    "A longer half length of attention was tried (15.4 to 15.0 % of left-out jobs) and is within "
    "noise. On rows of split check, sequences cut by cp are predicted too fast and most others too slow.",
    "**GB200.** 30 of its 38 rows of split fit are NeMo's, and most of its rows of split check Megatron-Bridge's. Llama 3.1 405B "
    "in fp8 is predicted 6 to 11 % too fast under both and 5 % too slow in bf16, Llama 3 8B and 70B in fp8 up to 11 % too slow. "
    "A half size of matmuls that grows with the rate was tried (within noise), and so was the quantization of whole "
    "activations on every tensor rank (within noise for dense models). GPT-OSS of one release in one precision ran 15 % slower "
    "than on GB300, with ep 64 in place of 16, which no term explains.",
    "**Narrow matmuls on A100.** FlagPerf's two tables are ranked as measured, but `tp=8` has too low a rate in both (by 12 and "
    "13 %). The half size of A100 comes from vTrain's rows above all, and fits of the other A100 rows alone gave about 60 % of "
    "it. A measured table of matmuls on A100 would settle it.",
    "**Attention under Megatron-Bridge.** Its rows tell of an attention 1.8 times as fast as that of other software on the same "
    "chips, which no row measures by itself; on B200, GB200 and GB300 that ends at the best that any kernel was seen to reach.",
    "**What the search promises.** Over some tuned layouts the best plan gains more than 15 %, by a larger micro-batch or other "
    "degrees (the table of tuned jobs says which terms shrink). Whether it would run so is not known; `tianji plan` names a "
    "published run of the same job, the gain over it and where it comes from, and calls more than 15 % in question.",
    "**Thousands of chips.** Jitter, shared cables and slow nodes are one constant (straggling) at best. Few published series "
    "reach past 2,048 chips, and in most of them the batch changes beside the number of chips. The fp4 series on GB200 is of "
    "two machines (its logs name them): 512 chips of one, 2,560 and 5,120 of the other. Between the latter two the measured "
    "efficiency falls by 4.4 % and the predicted one by 3.3 %; most of the distance lies between the machines. A "
    "micro-batch took 0.118 s on the one and 0.121 s on the other (0.132 predicted), and 0.29 s of a step go to what comes once "
    "(0.2 predicted). The published scripts put pipeline ranks nearest, data-parallel ranks far; priced so, with a reduction "
    "that hides behind one micro-batch, the two largest runs come out 33 and 47 % too slow, so they are priced as others are. "
    "One that hides behind the last micro-batch of every chunk of an interleaved pipeline, as the schedule allows, was tried as "
    "well: it misses left-out jobs on H100 by 10.0 in place of 9.6 % (root mean square), and was not done.",
    "**Memory of schedules.** The tables name ZB-2p, which holds twice the micro-batches of ZB-H1, and both are read as "
    "`zero-bubble`: the memory of ZB-2p is predicted too low by almost half.",
    "**What goes to host memory** is copied beside the passes at 0.8 of the published link, and leaves two layers on the chip. "
    "Where nobody published a chip's link (TPU v7), a measured run counts as having hid its copies, and a plan is refused with "
    "the figure's name. Three runs of MaxText on TPU v6e (Gemma 3, 32,768 tokens, nothing offloaded) are called out of memory by "
    "6 %: XLA frees more than is known.",
    "**Core attention alone recomputed** is read as a full recomputation of its share of the FLOPs. That is right in time, "
    "and frees a little more memory in the prediction than in fact.",
    "**Memory is told by few sources.** The rows of split check that state their memory are BLOOM's, read off the driver in "
    "whole GB; the other sources that state it set the constants. FlagPerf's table above is the one check from outside.",
)


CHAPTER = """### Without times that no clock gave

vTrain's file of single-node times is published as measured, and half of all rows are of it. But wherever it holds six layouts
or more that differ only in batch and number of layers, and nothing is reduced over data-parallel ranks (48 groups), the times
are m · (a + b · layers) + c + d · layers, for m micro-batches, to fourteen digits: sums of parts, not runs. Our errors
on them go by tp and micro-batch, as if each such pair had been profiled once. The bars above count all rows, as they were set;
here is what becomes of them without.

| | rows | median | 90th percentile | median rank correlation | sweeps | mean regret | exact best |
|---|---|---|---|---|---|---|---|
"""


def write_composed(verdict: Verdict, held_out: Sequence[HeldOut]) -> str:
    """Return the chapter on rows whose times were put together, with the accuracy on the others."""
    composed = [p for p in verdict.predictions if p.row.source in COMPOSED]
    measured = [p for p in verdict.predictions if p.row.source not in COMPOSED]
    lines = []
    for name, members in (("all", verdict.predictions), ("measured", measured), ("put together", composed)):
        a, ranking = measure_accuracy(members), measure_ranking(members)
        ranked = [
            f"{ranking.spearman or 0.0:.2f}",
            str(ranking.chosen),
            percent_of(ranking.regret),
            percent_of(ranking.exact),
        ]
        lines.append(f"| {' | '.join([name, f'{a.count:,}', percent_of(a.median), percent_of(a.p90), *ranked])} |\n")
    apart_told = ""
    if apart := [h for h in held_out if h.source not in COMPOSED]:
        apart_told = f"""
Of the measured rows {percent_of(cover(apart))} lie inside the range of a calibration without their source, and
{percent_of(cover(apart, power=0.5))} with each source weighing by the root of its rows.
"""
    return CHAPTER + "".join(lines) + apart_told


def write_gaps(verdict: Verdict, bars: Sequence[Bar]) -> str:
    """Return the chapter."""
    missed = [b for b in bars if not b.is_met]
    lines = ["## Known gaps\n"]
    if missed:
        lines.append("Bars that are missed, by how much:\n")
        lines += [f"* {b.what}: {format_bar(b)} where the target is {b.target}" for b in missed]
    else:
        lines.append("Every bar is met.")
    lines.append("\nThe sources with the largest median error, of those with at least three rows:\n")
    groups = [(name, a) for name, (a, _) in verdict.group("source").items() if a.count >= LEAST_ROWS]
    for name, a in sorted(groups, key=lambda item: -(item[1].median or 0.0))[:WORST]:
        lines.append(f"* {name}: median {percent_of(a.median)}, bias {signed_percent_of(a.bias)}, {a.count} rows")
    lines.append("\nWhy, as far as it is known:\n")
    return "\n".join([*lines, *(f"* {cause}" for cause in CAUSES)]) + "\n"


def format_bar(bar: Bar) -> str:
    """Return the value of a bar.

    >>> format_bar(Bar("regret", "at most 2.5 %", 0.031, False))
    '3.1 %'
    """
    if bar.target == "all":
        return "yes" if bar.is_met else "no"
    if bar.kind == "count":
        return f"{bar.value:.0f}"
    if bar.kind == "number":
        return f"{bar.value:.2f}"
    return f"{bar.value * 100:.1f} points" if bar.kind == "points" else percent_of(bar.value)
