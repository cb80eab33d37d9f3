"""A user's own file: what it may be, what is told of it, and with which exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.cli.group import main
from tianji.errors import FormatError, InputError, UnknownNameError
from tianji.exporters.formats.kinds import TITLES
from tianji.exporters.lint.checks import check_file

JOB = """apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: train}
spec:
  tasks:
  - name: node
    replicas: 2
    template: {spec: {containers: [{name: c}], restartPolicy: Never}}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\ndata: {a: b}\n"


def written(tmp_path: Path, text: str, name: str = "job.yaml") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (JOB, ("Job",)),
        (f"---\n{MAP}---\n{JOB}---\n", ("ConfigMap", "Job")),
        (f"{JOB}---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\n", ("Job",)),
        ("\ufeff" + JOB, ("Job",)),
        (JOB.replace("metadata: {name: train}", "metadata: {name: train, labels: }"), ("Job",)),
    ],
)
def test_right_files_of_one_or_more_documents(text: str, kinds: tuple[str, ...], tmp_path: Path) -> None:
    found = check_file(written(tmp_path, text))
    assert (found.kinds, found.violations) == (kinds, ())


def test_items_of_a_list_are_checked_one_by_one(tmp_path: Path) -> None:
    items = "\n".join("  " + line for line in JOB.replace("replicas: 2", "replica: 2").splitlines())
    text = f"apiVersion: v1\nkind: List\nitems:\n-{items[1:]}\n"
    (found,) = check_file(written(tmp_path, text)).violations
    assert (found.actual, found.fix) == ("replica: 2", "write replicas")
    assert "document 1, item 1, spec.tasks[0]" in found.where


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("---\n---\n", "empty"),
        ("# nothing\n", "empty"),
        ("- a: 1\n", "document 1: a list"),
        ("just text", "expected a mapping"),
        ("a: [1", "not valid YAML at line"),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' stands twice"),
        ("\x00", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("foo: 1\n", "no apiVersion and no kind"),
        (MAP, "no document asks for chips"),
        ("apiVersion: v1\nkind: Service\n", "(it holds Service)"),
        ("kind: JobSet\n", "no apiVersion for kind JobSet; expected jobset.x-k8s.io/v1alpha2"),
        ("apiVersion: ray.io/v1\n", "no kind; expected RayJob"),
        ("apiVersion: ray.io/v1alpha1\nkind: RayJob\n", "unknown apiVersion 'ray.io/v1alpha1' for kind RayJob; exp"),
        ("apiVersion: batch.volcano.sh/v1\nkind: Job\n", "expected batch.volcano.sh/v1alpha1"),
        ("apiVersion: [v1]\nkind: Job\n", "unknown apiVersion \"['v1']\" for kind Job"),
        ("x: &a {y: *a}\n", "aliases unfold"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_told_in_one_message(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as raised:
        check_file(written(tmp_path, text))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value).strip() or "YAML" in str(raised.value)


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(FormatError, match="aliases unfold"):
        check_file(written(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize("kind", ["AscendJobs", "Jobset", "rayjob"])
def test_a_slip_in_a_kind_is_told_with_the_nearest(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        check_file(written(tmp_path, f"apiVersion: mindxdl.gitee.com/v1\nkind: {kind}\n"))


def test_deepspeeds_file_is_known_by_its_keys(tmp_path: Path) -> None:
    text = json.dumps({"train_batch_size": "auto", "train_micro_batch_size_per_gpu": 1, "bf16": {"enabled": "auto"}})
    found = check_file(written(tmp_path, text, "ds.json"))
    assert (found.kinds, found.violations) == (("DeepSpeed",), ())
    with pytest.raises(FormatError, match="not valid JSON"):
        check_file(written(tmp_path, text[:-3], "ds.json"))


def test_keys_that_are_no_text_are_told(tmp_path: Path) -> None:
    (found,) = check_file(written(tmp_path, JOB.replace("metadata: {", "metadata: {labels: {1: x}, "))).violations
    assert (found.rule, found.fix) == ("keys are text", 'write "1", in quotes')


def test_the_command_says_all_with_exit_code_2(tmp_path: Path) -> None:
    path = written(tmp_path, JOB.replace("replicas: 2", 'replicas: "2"').replace("node", "Node"))
    done = CliRunner().invoke(main, ["export", "--check", path, "--json"])
    assert done.exit_code == 2
    document = json.loads(done.stdout)
    assert document["schemas"] == ["Job"]
    assert {v["fix"] for v in document["violations"]} >= {"write 2, without quotes"}
    shown = CliRunner().invoke(main, ["export", "--check", path])
    assert (shown.exit_code, "spec.tasks[0].replicas" in shown.stdout) == (2, True)
    right = CliRunner().invoke(main, ["export", "--check", written(tmp_path, JOB)])
    assert (right.exit_code, "fits the schema of Job" in right.stdout) == (0, True)
    wrong = CliRunner().invoke(main, ["export", "--check", written(tmp_path, "kind: RayJob")])
    assert (wrong.exit_code, wrong.stdout) == (2, "")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["spec", "tasks", "template", "containers", "metadata", "annotations", "replicas", "name", "x", "sp-block",
         "resources", "limits", "huawei.com/npu", "replicatedJobs", "volumeMounts", "minReplicas", "maxReplicas",
         "partitionPolicy", "totalPartitions", "partitionSize", "runPolicy", "replicaSpecs", "Master"]), inner, max_size=4),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=150)
@given(spec=VALUES, metadata=VALUES, kind=st.sampled_from(["Job", "AscendJob", "RayJob", "JobSet"]))
def test_no_document_ends_in_a_traceback(
    spec: object, metadata: object, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    versions = {
        "Job": "batch.volcano.sh/v1alpha1",
        "AscendJob": "mindxdl.gitee.com/v1",
        "RayJob": "ray.io/v1",
        "JobSet": "jobset.x-k8s.io/v1alpha2",
    }
    path = tmp_path_factory.mktemp("any") / "job.json"
    path.write_text(json.dumps({"apiVersion": versions[kind], "kind": kind, "metadata": metadata, "spec": spec}))
    try:
        found = check_file(str(path))
    except InputError:
        return
    assert all(v.rule and v.actual and v.fix for v in found.violations)


SHIPPED = {
    "deepspeed": '{"train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto", "zero_optimization": {"stage": 2},'
    ' "bf16": {"enabled": "auto"}, "_comment": "x"}',
    "llama-factory": "model_name_or_path: a/b\nstage: sft\nbf16: true\nper_device_train_batch_size: 1\n",
    "llama-factory-v1": "model: a/b\nmodel_class: llm\ndist_config: {name: fsdp2}\noutput_dir: out\nbf16: true\n",
    "accelerate": "compute_environment: LOCAL_MACHINE\ndistributed_type: FSDP\nnum_processes: 8\nmixed_precision: bf16\n",
    "hf-fsdp": '{"fsdp": "full_shard auto_wrap", "fsdp_config": {"fsdp_version": 2}}',
    "mindspeed-fsdp2": "model: {model_id: a}\nparallel: {fsdp_size: 8}\ntraining: {optimizer: adamw}\n",
    "primus": "work_group: a\nmodules: {pre_trainer: {framework: megatron}}\n",
    "modelzoo": "ENV_VARS: {A: 1}\nMODEL_ARGS: {--num-layers: 4}\n",
}


@pytest.mark.parametrize("kind", SHIPPED)
def test_files_of_other_projects_are_known_and_not_flagged(kind: str, tmp_path: Path) -> None:
    text = SHIPPED[kind]
    found = check_file(written(tmp_path, text, "a.json" if text.startswith("{") else "a.yaml"))
    assert found.violations == ()
    assert found.kinds[0].startswith(TITLES[kind])
    assert ("no schema" in found.kinds[0]) == (kind not in ("deepspeed", "llama-factory", "swift"))


def test_what_the_trainer_fills_in_hides_no_slip(tmp_path: Path) -> None:
    text = '{"train_micro_batch_size_per_gpu": "auto", "zero_optimisation": {"stage": 2}, "gradient_clipping": true}'
    found = {(v.actual, v.fix) for v in check_file(written(tmp_path, text, "a.json")).violations}
    assert {actual.partition(":")[0] for actual, _ in found} == {"zero_optimisation", "gradient_clipping"}


@pytest.mark.parametrize(
    "value", ["!!bool x", '!!int ""', "!!timestamp x", "!!map []", "!!float x", "9" * 5000, "!!binary x"]
)
def test_a_tag_that_does_not_fit_is_told_in_one_message(value: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        check_file(written(tmp_path, f"spec: {value}\n"))


def test_a_number_in_other_digits_is_no_count(tmp_path: Path) -> None:
    text = "zero_optimization: {stage: \u00b2}\ntrain_batch_size: 1\n"
    assert [v.rule for v in check_file(written(tmp_path, text)).violations] == ["known value"]


def test_what_another_project_writes_is_not_taken_for_a_configuration(tmp_path: Path) -> None:
    roll = "actor_train: {strategy_args: {strategy_name: megatron_train}}\npretrain: Qwen/Qwen2.5-7B\n"
    assert check_file(written(tmp_path, roll)).violations == ()
    record = {"model": "a", "dataset": [], "train_type": "full", "swift_version": "4", "fsdp": []}
    with pytest.raises(FormatError):
        check_file(written(tmp_path, json.dumps(record), "args.json"))
    autocast = {"train_batch_size": 8, "torch_autocast": {"enabled": True, "dtype": "torch.bfloat16"}}
    assert check_file(written(tmp_path, json.dumps(autocast), "ds.json")).violations == ()
