"""Lengths of a training of ms-swift that generates its samples itself: GRPO and its like."""

from __future__ import annotations

from collections.abc import Callable

GENERATING = ("grpo", "ppo", "gkd", "opsd")
"""Kinds of ``--rlhf_type`` whose samples are generated; of the others ms-swift knows no length but ``max_length``."""
ANSWER = 512
"""ms-swift's ``max_completion_length``."""
PROMPT = 512
"""Tokens of a prompt where no ``max_length`` states them: TRL's ``max_prompt_length``."""


def read_lengths(kind: str, count: Callable[[str, int], int]) -> tuple[int, str]:
    """Return the tokens of the longest sample, and what was assumed of them; ``count`` looks a number up, or gives its default.

    ``max_length`` is the prompt's, generated tokens come on top (ms-swift 3602360a, swift/arguments/rlhf_args.py).
    """
    answer, prompt = count("max_completion_length", ANSWER), count("max_length", 0)
    if prompt:
        return prompt + answer, f"{kind}: samples of {prompt + answer:,} tokens, prompt and answer at the longest"
    return PROMPT + answer, (
        f"{kind}: samples of {answer:,} generated tokens at the longest and {PROMPT} of the prompt, which no max_length states;"
        " shorter answers make a step faster"
    )
