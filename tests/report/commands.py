"""One command for each kind of answer that is moved to a document, a view and renderers."""

COMMANDS = {
    "prediction": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "plan": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --explain tp=8",
    "mixture": "plan llama-3.1-8b a100-h100 --tokens 1T",
    "goodput": "goodput llama-3.1-8b hgx-h100 --chips 512 --batch 1024 --tp 4 --price '2 USD' --tokens 1T",
    "comparison": "compare llama-3.1-8b 64xhgx-h100 64xatlas-900-a2 64xatlas-950-superpod --tokens 1T",
    "replacement": "replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --batch 256 --points 4 --buy",
    "sizing": "size llama-3.1-8b hgx-h100 --batch 256 --tokens 1T --days 30 --budget 1000000",
}
"""By the name of the document; each as small as its answer allows."""
OF_REAL_PROCESSES = ("run", "explanation", "operation", "machine")
"""Documents whose commands train or measure for real: ``test_run_views`` makes them of results that are put together."""
