"""What stands at the head of each file: the job, the pool, the layout, the order of ranks, and each note."""

import tianji
from tianji.exporters.contract import Limits
from tianji.exporters.plan_facts.header import header_lines
from tianji.parallel.plan import Plan


def test_the_header_says_job_pool_layout_and_notes() -> None:
    job = tianji.make_job("llama-3.1-8b", global_batch_size=64, seq_len=2048)
    plan = Plan(job, tianji.load_pool("hgx-h100", 32), tianji.Strategy(tp=2, pp=2, dp=4, placement="pp-inside"))
    limits = Limits("any")
    limits.note("One thing is otherwise.", "One thing is otherwise.")
    text = "\n".join(header_lines(plan, limits))
    assert "llama-3.1-8b, sequences of 2,048 tokens, 64 a step, precision bf16" in text
    assert "16 chips (16 of the pool's 32 stay idle)" in text
    assert "16 micro-batches a step" in text
    assert "Rank order tp-cp-ep-pp-dp" in text
    assert text.count("Note: One thing is otherwise.") == 1
