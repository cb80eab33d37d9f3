"""Read shell scripts, Dockerfiles, configuration files and CUDA sources line by line."""

from __future__ import annotations

import re

from tianji.migration.facts import FileFacts, FileKind, Occurrence
from tianji.migration.reading.device_texts import ENVIRONMENT
from tianji.migration.reading.requirement_files import requirement_of

LONGEST_LINE = 2000
"""Letters of a line that are looked at: what is longer is data."""
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9_]{5,})\b")
_STARTED = re.compile(r"(?<![\w/.-])((?:[\w.-]+/)*[\w.-]+\.py)\b")
_PIP = re.compile(r"\b(?:pip3?|uv pip|python3? -m pip)\s+install\s+(.*)")
_SHELL_RULES = (
    (re.compile(r"\bnvidia-smi\b"), "idiom:nvidia-smi"),
    (re.compile(r"\b(?:nsys|ncu)\s+(?:profile|launch|start)\b"), "idiom:nsys"),
    (re.compile(r"--gpus[= ]|--runtime[= ]nvidia"), "idiom:container-gpus"),
    (re.compile(r"--gres[= ]gpu|--gpus-per-node"), "idiom:scheduler-gpus"),
    (re.compile(r"\bmpirun\b"), "idiom:mpirun"),
    (re.compile(r"\bnumactl\b"), "idiom:numactl"),
    (re.compile(r"\bnvcc\b"), "idiom:nvcc"),
    (re.compile(r"(?:=|\s)[\"']?nccl[\"']?(?=\s|$)"), "idiom:nccl-backend"),
    (re.compile(r"(?:=|\s)[\"']?cuda(?::\d+)?[\"']?(?=\s|$)"), "idiom:device-string"),
)
_DOCKER_RULES = (
    (re.compile(r"^\s*FROM\s+.*(?:nvidia|cuda|nvcr)", re.IGNORECASE), "idiom:cuda-image"),
    (re.compile(r"^\s*FROM\s+.*(?:rocm|pytorch/pytorch)", re.IGNORECASE), "idiom:cuda-image"),
    (re.compile(r"/whl/cu\d+"), "idiom:cuda-index"),
)
_CONFIG_RULES = (
    (re.compile(r"[:\s-]\s*[\"']?nccl[\"']?\s*(?:#.*)?$"), "idiom:nccl-backend"),
    (re.compile(r"[:\s-]\s*[\"']?(?:cpu:gloo,)?cuda:nccl[\"']?\s*(?:#.*)?$"), "idiom:nccl-composite"),
    (re.compile(r"[:\s-]\s*[\"']?cuda(?::\d+)?[\"']?\s*(?:#.*)?$"), "idiom:device-string"),
    (re.compile(r"[:\s-]\s*[\"']?flash_attention_2[\"']?\s*(?:#.*)?$"), "idiom:flash-attention-config"),
    (re.compile(r"nvidia\.com/gpu"), "idiom:scheduler-gpus"),
    (re.compile(r"\bMULTI_GPU\b"), "idiom:device-kind"),
)


def read_shell(path: str, text: str) -> FileFacts:
    """Return what a shell script sets and starts."""
    facts = FileFacts(path, FileKind.SHELL)
    for number, line in _lines(facts, text):
        code = line.split(" #")[0]
        if code.lstrip().startswith("#") and not code.lstrip().startswith("#SBATCH"):
            continue
        _add_variables(facts, code, number)
        _add_rules(facts, code, number, _SHELL_RULES)
        facts.launches += _STARTED.findall(code)
        _add_installs(facts, code, number)
    return facts


def read_dockerfile(path: str, text: str) -> FileFacts:
    """Return what a Dockerfile starts from, sets and installs."""
    facts = FileFacts(path, FileKind.DOCKERFILE)
    for number, line in _lines(facts, text):
        if not line.lstrip().startswith("#"):
            _add_variables(facts, line, number)
            _add_rules(facts, line, number, _DOCKER_RULES)
            _add_installs(facts, line, number)
    return facts


def read_config(path: str, text: str) -> FileFacts:
    """Return what a configuration file in YAML says of devices and backends."""
    facts = FileFacts(path, FileKind.CONFIG)
    for number, line in _lines(facts, text):
        if not line.lstrip().startswith("#"):
            _add_variables(facts, line, number)
            _add_rules(facts, line, number, _CONFIG_RULES)
    return facts


def read_cuda(path: str, text: str) -> FileFacts:
    """Return the kernels that a CUDA source defines."""
    facts = FileFacts(path, FileKind.CUDA)
    for number, line in _lines(facts, text):
        if "__global__" in line and not line.lstrip().startswith("//"):
            facts.num_kernels += 1
            facts.occurrences.append(Occurrence(path, number, "idiom:cuda-source", line.strip()[:160]))
    if not facts.occurrences and facts.num_lines > 1:
        facts.occurrences.append(Occurrence(path, 1, "idiom:cuda-source", text.lstrip().split("\n")[0][:160]))
    return facts


def _lines(facts: FileFacts, text: str) -> list[tuple[int, str]]:
    lines = text.splitlines()
    facts.num_lines = len(lines)
    return [(number, line[:LONGEST_LINE]) for number, line in enumerate(lines, 1) if line.strip()]


def _add_variables(facts: FileFacts, line: str, number: int) -> None:
    for name in dict.fromkeys(_VARIABLE.findall(line)):
        if ENVIRONMENT.match(name):
            facts.occurrences.append(Occurrence(facts.path, number, f"env:{name}", line.strip()[:160]))


def _add_rules(facts: FileFacts, line: str, number: int, rules: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    for pattern, symbol in rules:
        if pattern.search(line):
            facts.occurrences.append(Occurrence(facts.path, number, symbol, line.strip()[:160]))


def _add_installs(facts: FileFacts, line: str, number: int) -> None:
    match = _PIP.search(line)
    for word in match[1].split() if match else ():
        if word in ("&&", ";", "|", "||"):
            break
        if word.startswith("-") or word in (".", "\\") or word.startswith("$"):
            continue
        found = requirement_of(word, facts.path, number)
        if found is not None and not word.endswith((".txt", ".whl")):
            facts.requirements.append(found)
