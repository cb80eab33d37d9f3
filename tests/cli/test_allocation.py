"""Freed memory is kept: arrays that come and go are not mapped anew each time."""

import platform
import subprocess
import sys

import pytest

from tianji.cli.allocation import keep_freed_memory

COUNT = """
import resource
import numpy as np
from tianji.cli.allocation import keep_freed_memory
{call}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(5 * 10**6)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(call: str) -> int:
    code = COUNT.format(call=call)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_arrays_that_come_and_go_fault_once() -> None:
    assert faults("keep_freed_memory()") < 0.2 * faults("")


def test_a_library_without_the_option_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    keep_freed_memory()
