"""One command for each kind of answer that is moved to a document, a view and renderers."""

COMMANDS = {
    "prediction": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "plan": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --explain tp=8",
    "mixture": "plan llama-3.1-8b a100-h100 --tokens 1T",
}
"""By the name of the document; each as small as its answer allows."""
OF_REAL_PROCESSES = ("run", "explanation", "operation", "machine")
"""Documents whose commands train or measure for real: ``test_run_views`` makes them of results that are put together."""
