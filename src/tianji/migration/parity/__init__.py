"""Judge whether two runs, or two dumps of operators, agree: noise first, then named standards, then where they part."""

from tianji.migration.parity.checks import CheckOutcome, ParityCheck
from tianji.migration.parity.dumps import DumpComparison, compare_dumps, is_dump, read_dump
from tianji.migration.parity.judgement import Parity, judge_parity
from tianji.migration.parity.logs import RunLog
from tianji.migration.parity.run_files import read_run
from tianji.migration.parity.standards import Standard, load_standards

__all__ = [
    "CheckOutcome",
    "DumpComparison",
    "Parity",
    "ParityCheck",
    "RunLog",
    "Standard",
    "compare_dumps",
    "is_dump",
    "judge_parity",
    "load_standards",
    "read_dump",
    "read_run",
]
