"""Write a set of versions as a constraints file for pip and as a Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tianji.migration.judging.packages import PackageVerdict, load_packages
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


_EXTRAS = ("megatron_core", "vllm", "vllm_ascend", "mindformers")
"""Components that pip installs after torch_npu, in this order."""


def left_out_of_requirements(packages: Sequence[PackageVerdict] = ()) -> tuple[str, ...]:
    """Return the packages that must not be installed as a repository's requirements ask, NVIDIA's wheels among them.

    These are torch and what is installed by the set itself, and each package that has no answer or another one on Ascend.
    """
    judged = packages or load_packages().values()
    replaced = {package.name for package in judged if package.status in ("none", "fork", "plugin")}
    return tuple(sorted({"torch", "triton", *replaced, *_PIP.values()}))


def write_dockerfile(
    chosen: VersionSet, target: str, constraints: str = "constraints.txt", requirements: str = "requirements.txt",
    packages: Sequence[PackageVerdict] = (),
) -> str:  # fmt: skip
    """Return a Dockerfile that installs a set over an image with CANN; the image's tag is to be checked when it is built.

    Of the requirements it leaves out what the set installs, what does not run on Ascend, NVIDIA's wheels and CUDA's indexes.
    """
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
            "# Without what the set installs, what does not run on Ascend, and wheels for CUDA.",
            f"RUN grep -viE '{_filter(packages)}' /opt/requirements.txt > /opt/requirements-npu.txt || true",
            f"RUN {install} -r /opt/requirements-npu.txt",
        ]
        lines += [f"RUN {install} {_PIP[name]}" for name in _EXTRAS if name in versions]
        if "mindspeed" in versions:
            lines += [
                f"RUN git clone --depth 1 --branch {versions['mindspeed']} https://github.com/Ascend/MindSpeed /opt/MindSpeed"
                " && pip install --no-cache-dir --no-deps -e /opt/MindSpeed",
            ]
        if "triton_ascend" in versions:
            lines += [
                "# Last: it replaces the files of triton, which other packages pull in.",
                f"RUN {install} --force-reinstall --no-deps triton-ascend",
            ]
    elif "mindspore" in versions:
        lines.append("RUN pip install --no-cache-dir -c /opt/constraints.txt mindspore")
        lines += [f"RUN pip install --no-cache-dir -c /opt/constraints.txt {_PIP[n]}" for n in _EXTRAS if n in versions]
    lines.append(
        'ENTRYPOINT ["bash", "-lc", "source /usr/local/Ascend/ascend-toolkit/set_env.sh && exec \\"$@\\"", "--"]'
    )
    return "\n".join(lines) + "\n"


def _filter(packages: Sequence[PackageVerdict]) -> str:
    """Return an expression of grep for the lines of a requirements file that are left out."""
    names = "|".join(re.sub(r"[-_.]+", "[-_.]", name) for name in left_out_of_requirements(packages))
    return rf"^\s*({names}|nvidia-[a-z0-9-]+)\s*([^a-z0-9_.-]|$)|index-url.*/cu[0-9]+|find-links.*cu[0-9]+"
