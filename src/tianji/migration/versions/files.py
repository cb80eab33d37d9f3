"""Write a set of versions as a constraints file for pip and as a Dockerfile."""

from __future__ import annotations

from collections.abc import Sequence

from tianji.migration.judging.packages import PackageVerdict
from tianji.migration.versions.solver import VersionSet

_PIP = {
    "torch": "torch",
    "torch_npu": "torch-npu",
    "megatron_core": "megatron-core",
    "mindspore": "mindspore",
    "mindformers": "mindformers",
    "vllm": "vllm",
    "vllm_ascend": "vllm-ascend",
    "triton_ascend": "triton-ascend",
}
_CHIP_TAGS = {"a2": "910b", "a3": "a3", "950dt": "950"}


def write_constraints(chosen: VersionSet, packages: Sequence[PackageVerdict] = ()) -> str:
    """Return a constraints file of a set; what is not installed by pip, and what must go, stands in comments."""
    lines = [
        f"# {chosen.name}",
        *(f"# {name} {chosen.versions[name]}" for name in ("driver", "cann") if name in chosen.versions),
    ]
    if "python" in chosen.versions:
        lines.append(f"# Python {chosen.versions['python']}")
    for component, name in _PIP.items():
        if component in chosen.versions and not chosen.versions[component].startswith("core_"):
            lines.append(f"{name}=={chosen.versions[component].removeprefix('v')}")
    if "mindspeed" in chosen.versions:
        lines.append(f"# MindSpeed {chosen.versions['mindspeed']}: from its repository, branch or tag of that name")
    for verdict in packages:
        if verdict.status in ("none", "fork", "plugin") and verdict.name != "torch":
            lines.append(f"# {verdict.name}: not as it is ({verdict.answer or 'no answer on Ascend'})")
    return "\n".join(lines) + "\n"


def write_dockerfile(
    chosen: VersionSet, target: str, constraints: str = "constraints.txt", requirements: str = "requirements.txt"
) -> str:
    """Return a Dockerfile that installs a set over an image with CANN; the image's tag is to be checked when it is built."""
    versions = chosen.versions
    cann, python = versions.get("cann", "").lower(), versions.get("python", "3.11")
    lines = [
        f"# {chosen.name}. The host needs driver {versions.get('driver', 'as CANN asks')}.",
        "# Check that an image of this tag exists; tags name CANN, chip, system and Python.",
        f"ARG IMAGE=ascendai/cann:{cann}-{_CHIP_TAGS[target]}-ubuntu22.04-py{python}",
        "FROM ${IMAGE}",
        "# On x86_64 the plain torch is built for CUDA: give the address of the CPU wheels.",
        'ARG TORCH_INDEX=""',
        f"COPY {constraints} /opt/constraints.txt",
        f"COPY {requirements} /opt/requirements.txt",
    ]
    if "torch" in versions:
        install = "pip install --no-cache-dir -c /opt/constraints.txt"
        lines += [
            f"RUN {install} ${{TORCH_INDEX:+--index-url ${{TORCH_INDEX}}}} torch",
            f"RUN {install} torch-npu",
            f"RUN {install} -r /opt/requirements.txt",
        ]
        if "triton_ascend" in versions:
            lines += [
                "# Last: it replaces the files of triton, which other packages pull in.",
                f"RUN {install} --force-reinstall --no-deps triton-ascend",
            ]
    elif "mindspore" in versions:
        lines.append("RUN pip install --no-cache-dir -c /opt/constraints.txt mindspore")
    lines.append(
        'ENTRYPOINT ["bash", "-lc", "source /usr/local/Ascend/ascend-toolkit/set_env.sh && exec \\"$@\\"", "--"]'
    )
    return "\n".join(lines) + "\n"
