"""YAML files are read, and what is wrong in them is said in one clear line per mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.api.load import ResourceError, load_pipelines, load_resources
from logwarden.api.log_pipeline import LogPipeline

ROOT = Path(__file__).resolve().parents[2]

MODEL = """\
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata:
  name: campus
spec:
  unit:
    kind: Window
    window: {lines: 64, seconds: 30}
  training:
    learningRate: 3.0e-4
"""

PIPELINE = """\
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata:
  name: campus
spec:
  collect:
    syslog:
      listeners:
        - name: udp
          transport: UDP
          port: 5514
        - name: tcp
          transport: TCP
          port: 5514
    http:
      enabled: true
      port: 8080
  detect:
    modelRef:
      name: campus
"""

BOTH = f"{MODEL}---\n{PIPELINE}"


def errors(text: str) -> list[str]:
    """Return the lines of the error that a text gives."""
    with pytest.raises(ResourceError) as caught:
        load_resources(text, name="f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_both_resources_are_read_in_order() -> None:
    model, pipeline = load_resources(BOTH)
    assert isinstance(model, AnomalyModel)
    assert isinstance(pipeline, LogPipeline)
    assert (model.name, pipeline.spec.detect.model_ref.name) == ("campus", "campus")


def test_what_is_left_out_has_the_documented_defaults() -> None:
    model = load_resources("apiVersion: logwarden.dev/v1alpha1\nkind: AnomalyModel\nmetadata: {name: a}\n")[0]
    assert isinstance(model, AnomalyModel)
    spec = model.spec
    assert (spec.base.family, spec.base.model, spec.unit.kind, spec.training.mode) == (
        "T5",
        "builtin",
        "Window",
        "SemiSupervised",
    )
    assert (spec.threshold.method, spec.promotion.automatic, spec.promotion.must_beat_baselines) == ("auto", True, True)
    assert spec.explanation.mask == ["ip", "user", "mac", "email"]


def test_a_listener_without_an_address_takes_only_what_this_machine_sends() -> None:
    pipeline = load_resources(PIPELINE)[0]
    assert isinstance(pipeline, LogPipeline)
    assert [listener.bind_address for listener in pipeline.spec.collect.syslog.listeners] == ["127.0.0.1"] * 2
    assert pipeline.spec.collect.http.bind_address == "127.0.0.1"


def test_the_quickstart_is_a_pipeline_with_its_model() -> None:
    (found,) = load_pipelines(ROOT / "examples" / "quickstart.yaml")
    assert found.pipeline.spec.kafka is None
    assert found.model.spec.base.model == "builtin"
    assert {listener.transport for listener in found.pipeline.spec.collect.syslog.listeners} == {"UDP", "TCP"}


ACCEPTED = {
    "JSON": '{"apiVersion": "logwarden.dev/v1alpha1", "kind": "AnomalyModel", "metadata": {"name": "a"}}',
    "an exponent without a point": MODEL.replace("3.0e-4", "3e-4"),
    "a whole number for a rate": MODEL.replace("3.0e-4", "1"),
    "an empty key stands for its default": MODEL.replace("    kind: Window", "    kind:\n    session:"),
    "empty documents": f"---\n---\n{MODEL}---\n# nothing\n---\n",
    "a byte order mark": f"\ufeff{MODEL}",
    "anchors": MODEL.replace("{lines: 64, seconds: 30}", "&w {lines: 64, seconds: 30}"),
    "merge keys": MODEL.replace("name: campus\n", "name: campus\n  annotations: &a {x: y}\n  labels: {<<: *a, z: w}\n"),
    "metadata of others": MODEL.replace("name: campus\n", "name: campus\n  managedFields: [{manager: kubectl}]\n"),
    "status of a newer operator": f"{MODEL}status: {{phase: Ready, somethingNew: 3}}\n",
    "a pipeline whose model is elsewhere": PIPELINE,
    "a date is text": MODEL.replace("name: campus\n", "name: campus\n  labels: {day: 2026-10-01}\n"),
    "a Hugging Face model": MODEL.replace("  unit:", "  base: {model: google/flan-t5-base}\n  unit:"),
    "every kind of quantity": MODEL.replace(
        "    learningRate", "    resources: {limits: {nvidia.com/gpu: 1, memory: 16Gi, cpu: 500m}}\n    learningRate"
    ),
    "UDP and TCP on one port": PIPELINE,
    "a PyOD threshold": MODEL.replace("  unit:", "  threshold: {method: KARCH, value: 0.87}\n  unit:"),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_is_accepted(text: str) -> None:
    assert load_resources(text)


# name: (text, the whole error)
REJECTED = {
    "wrong choice": (
        PIPELINE.replace("transport: UDP", "transport: SCTP"),
        "f.yaml:10:22: spec.collect.syslog.listeners[0].transport: found 'SCTP', allowed: UDP, TCP, TLS",
    ),
    "wrong case of a choice": (
        MODEL.replace("kind: Window", "kind: window"),
        "f.yaml:7:11: spec.unit.kind: found 'window', allowed: Line, Window, Session, Flow (did you mean Window?)",
    ),
    "number in quotes": (
        PIPELINE.replace("port: 8080", "port: '8080'"),
        (
            "f.yaml:17:13: spec.collect.http.port: found '8080', allowed: a whole number from 1 to 65535 "
            "(remove the quotes)"
        ),
    ),
    "number out of range": (
        PIPELINE.replace("port: 8080", "port: 70000"),
        "f.yaml:17:13: spec.collect.http.port: found 70000, allowed: a whole number from 1 to 65535",
    ),
    "fraction for a whole number": (
        MODEL.replace("lines: 64", "lines: 64.5"),
        "f.yaml:8:21: spec.unit.window.lines: found 64.5, allowed: a whole number from 1 to 4096",
    ),
    "text for a truth value": (
        PIPELINE.replace("enabled: true", "enabled: 'true'"),
        "f.yaml:16:16: spec.collect.http.enabled: found 'true', allowed: true, false (remove the quotes)",
    ),
    "truth value for a number": (
        PIPELINE.replace("port: 8080", "port: true"),
        "f.yaml:17:13: spec.collect.http.port: found true, allowed: a whole number from 1 to 65535",
    ),
    "not a number": (
        MODEL.replace("3.0e-4", ".nan"),
        "f.yaml:10:19: spec.training.learningRate: found nan, allowed: a number above 0 and up to 1",
    ),
    "misspelt field": (
        PIPELINE.replace("port: 8080", "prot: 8080"),
        (
            "f.yaml:17:7: spec.collect.http.prot: unknown field (did you mean port?); "
            "allowed: enabled, port, address, tokenSecretRef, tlsSecretRef, linesPerSecond"
        ),
    ),
    "field in snake case": (
        MODEL.replace("learningRate", "learning_rate"),
        (
            "f.yaml:10:5: spec.training.learning_rate: unknown field (did you mean learningRate?); allowed: mode, "
            "datasets, feedback, lora, epochs, learningRate, batchSize, maxTokens, seed, schedule, nodes, resources, "
            "suspend"
        ),
    ),
    "field at the wrong level": (
        PIPELINE.replace("  detect:", "  http: {}\n  detect:"),
        "f.yaml:18:3: spec.http: unknown field; allowed: collect, kafka, detect, privacy, store, alerts",
    ),
    "object for a list": (
        MODEL.replace("learningRate: 3.0e-4", "datasets: {uri: a}"),
        "f.yaml:10:15: spec.training.datasets: found an object (uri), allowed: a list of at most 32 items",
    ),
    "text for an object": (
        MODEL.replace("{lines: 64, seconds: 30}", "64"),
        "f.yaml:8:13: spec.unit.window: found 64, allowed: an object with the fields lines, seconds",
    ),
    "missing name": (
        MODEL.replace("  name: campus\n", "  labels: {}\n"),
        "f.yaml:3:1: metadata.name: is missing, allowed: at most 40 lower-case letters, digits and inner hyphens",
    ),
    "name with capitals": (
        MODEL.replace("campus", "Campus"),
        "f.yaml:4:9: metadata.name: found 'Campus', allowed: at most 40 lower-case letters, digits and inner hyphens",
    ),
    "session without a key": (
        MODEL.replace("kind: Window", "kind: Session"),
        (
            "f.yaml:6:3: spec.unit.session: kind Session needs session.key, "
            "a regular expression that finds the session's key in a line"
        ),
    ),
    "TLS without a certificate": (
        PIPELINE.replace("transport: TCP", "transport: TLS"),
        (
            "f.yaml:12:11: spec.collect.syslog.listeners[1].tlsSecretRef: "
            "transport TLS needs tlsSecretRef, a Secret of type kubernetes.io/tls"
        ),
    ),
    "two names": (
        PIPELINE.replace("name: tcp", "name: udp"),
        "f.yaml:8:7: spec.collect.syslog.listeners: two listeners have the same name",
    ),
    "two listeners on a port": (
        PIPELINE.replace("transport: UDP", "transport: TCP"),
        "f.yaml:8:7: spec.collect.syslog.listeners: two listeners share a port (UDP and TCP may; TCP and TLS may not)",
    ),
    "two Kafkas": (
        PIPELINE.replace("  detect:", "  kafka: {strimzi: {cluster: a}, bootstrapServers: 'b:9092'}\n  detect:"),
        "f.yaml:18:3: spec.kafka: name exactly one of strimzi and bootstrapServers",
    ),
    "bootstrap server without a port": (
        PIPELINE.replace("  detect:", "  kafka: {bootstrapServers: kafka}\n  detect:"),
        "f.yaml:18:29: spec.kafka.bootstrapServers: found 'kafka', allowed: host:port, or several separated by commas",
    ),
    "duration in words": (
        f"{PIPELINE}  store: {{retention: 30 days}}\n",
        "f.yaml:21:22: spec.store.retention: found '30 days', allowed: a duration such as 30s, 15m, 12h, 7d or 4w",
    ),
    "fraction as a quantity": (
        MODEL.replace("learningRate: 3.0e-4", "resources: {limits: {cpu: 0.5}}"),
        "f.yaml:10:31: spec.training.resources.limits.cpu: found 0.5, allowed: a quantity such as 1, 500m or 16Gi",
    ),
    "builtin model of another family": (
        MODEL.replace("  unit:", "  base: {family: BERT}\n  unit:"),
        "f.yaml:6:10: spec.base.family: the builtin model is a T5: set family to T5, or name another model",
    ),
    "OpenAI without an address": (
        MODEL.replace("  unit:", "  explanation: {backend: OpenAI}\n  unit:"),
        "f.yaml:6:3: spec.explanation.openAI: backend OpenAI needs openAI.url and openAI.model",
    ),
    "more replicas at least than at most": (
        MODEL.replace("  unit:", "  serving: {replicas: {min: 4, max: 2}}\n  unit:"),
        "f.yaml:6:24: spec.serving.replicas.min: min must not be greater than max",
    ),
    "learning from labels without data": (
        MODEL.replace("learningRate: 3.0e-4", "mode: Supervised"),
        "f.yaml:9:3: spec.training.datasets: mode Supervised needs at least one data set with labels",
    ),
    "more nodes than texts in a batch": (
        MODEL.replace("learningRate: 3.0e-4", "nodes: 33"),
        (
            "f.yaml:10:5: spec.training.nodes: nodes must not be greater than batchSize: each computes a part of every "
            "batch"
        ),
    ),
    "schedule that is no cron line": (
        MODEL.replace("learningRate: 3.0e-4", "schedule: every sunday"),
        (
            "f.yaml:10:15: spec.training.schedule: found 'every sunday', "
            "allowed: a cron line of five fields such as '0 3 * * 0', or @daily"
        ),
    ),
    "unknown threshold": (
        MODEL.replace("  unit:", "  threshold: {method: KARSH}\n  unit:"),
        (
            "f.yaml:6:23: spec.threshold.method: found 'KARSH', allowed: auto, F1, Quantile, AUCP, BOOT, CHAU, CLF, "
            "CLUST, CPD, DECOMP, DSN, EB, FGD, FILTER, FWFM, GAMGMM, GESD, HIST, IQR, KARCH, MAD, MCST, META, MIXMOD, "
            "MOLL, MTT, OCSVM, QMCD, REGR, VAE, WIND, YJ, ZSCORE (did you mean KARCH?)"
        ),
    ),
    "unknown kind": (
        PIPELINE.replace("kind: LogPipeline", "kind: Logpipeline"),
        "f.yaml:2:7: kind: found 'Logpipeline', allowed: AnomalyModel, LogPipeline (did you mean LogPipeline?)",
    ),
    "other version": (
        MODEL.replace("v1alpha1", "v1"),
        (
            "f.yaml:1:13: apiVersion: found 'logwarden.dev/v1', allowed: logwarden.dev/v1alpha1 "
            "(did you mean logwarden.dev/v1alpha1?)"
        ),
    ),
    "no kind": (
        MODEL.replace("kind: AnomalyModel\n", ""),
        "f.yaml:1:1: kind: is missing, allowed: AnomalyModel, LogPipeline",
    ),
    "key twice": (
        PIPELINE.replace("port: 8080", "port: 8080\n      port: 8081"),
        "f.yaml:18:7: spec.collect.http.port: this key stands twice in one object",
    ),
    "key that is no text": (
        MODEL.replace("lines: 64", "7: 64"),
        "f.yaml:8:14: spec.unit.window: found 7 as a key, allowed: text (put it in quotes)",
    ),
    "tab": (
        PIPELINE.replace("  detect:", "\tdetect:"),
        "f.yaml:18:1: found a tab: YAML is indented with spaces",
    ),
    "open bracket": (
        MODEL.replace("30}", "30"),
        "f.yaml:9:11: not valid YAML while parsing a flow mapping: expected ',' or '}', but got ':'",
    ),
    "unknown anchor": (
        MODEL.replace("{lines: 64, seconds: 30}", "*w"),
        "f.yaml:8:13: not valid YAML: found undefined alias 'w'",
    ),
    "tag that builds an object": (
        MODEL.replace("campus", "!!python/object/apply:os.getcwd []"),
        (
            "f.yaml:4:9: metadata.name: found an empty list, "
            "allowed: at most 40 lower-case letters, digits and inner hyphens"
        ),
    ),
    "tag on text": (
        MODEL.replace("campus", "!secret campus"),
        "f.yaml:4:9: metadata.name: the tag !secret is not allowed",
    ),
    "number with a wrong tag": (
        MODEL.replace("3.0e-4", "!!int three"),
        "f.yaml:10:19: spec.training.learningRate: found 'three', which is no int",
    ),
    "alias bomb": (
        "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" if n else "a0: &a0 [x]\n" for n in range(9)),
        None,
    ),
    "bomb of merge keys": (
        "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}\n" if n else "a0: &a0 {}\n" for n in range(20)),
        None,
    ),
    "alias of itself": ("a: &a [*a]\n", None),
    "merge of itself": ("a: &a {b: {<<: *a}}\n", None),
    "deep nesting": ("a: " + "[" * 5000 + "]" * 5000, None),
    "too many values": ("a: [" + "1, " * 30000 + "1]", None),
    "too large": (f"{MODEL}# {'x' * 1024 * 1024}\n", "f.yaml: the text is larger than 1024 KiB"),
    "control character": (
        MODEL.replace("campus", "cam\x00pus"),
        "f.yaml:4:1: the character U+0000 is not allowed in YAML",
    ),
    "nothing": ("# only a comment\n", "f.yaml: no document found, allowed: AnomalyModel and LogPipeline"),
    "a list": (
        "- a\n- b\n",
        "f.yaml:1:1: found a list of 2 items, allowed: an object with apiVersion, kind, metadata and spec",
    ),
    "plain text": (
        "Oct 11 22:14:15 mymachine su: failed\n",
        (
            "f.yaml:1:1: found an object (Oct 11 22:14:15 mymachine su), "
            "allowed: an object with apiVersion, kind, metadata and spec"
        ),
    ),
    "same resource twice": (
        f"{MODEL}---\n{MODEL}",
        "f.yaml:15:9: metadata.name: a second AnomalyModel named 'campus', the first is at line 1",
    ),
    "a key that is no regular expression": (
        MODEL.replace("kind: Window", "kind: Session\n    session:\n      key: blk_("),
        None,
    ),
    "adapters by what is no regular expression": (
        MODEL.replace("learningRate: 3.0e-4", "lora: {targetModules: '*'}"),
        (
            "f.yaml:10:12: spec.training.lora.targetModules: found '*', allowed: a regular expression; this is none: "
            "nothing to repeat at position 0"
        ),
    ),
    "a model of another namespace": (
        PIPELINE.replace("name: campus\n", "name: campus\n  namespace: a\n", 1)
        + "---\n"
        + MODEL.replace("name: campus\n", "name: campus\n  namespace: b\n", 1),
        (
            "f.yaml:21:13: spec.detect.modelRef.name: no AnomalyModel named 'a/campus' in this file; "
            "models here: b/campus (did you mean b/campus?)"
        ),
    ),
    "model that is not there": (
        BOTH.replace("      name: campus", "      name: camps"),
        (
            "f.yaml:31:13: spec.detect.modelRef.name: no AnomalyModel named 'camps' in this file; "
            "models here: campus (did you mean campus?)"
        ),
    ),
}


@pytest.mark.parametrize(("text", "expected"), REJECTED.values(), ids=REJECTED.keys())
def test_is_rejected_with_one_clear_line(text: str, expected: str | None) -> None:
    (line,) = errors(text)
    assert "\n" not in line
    assert len(line) < 500
    assert line.startswith("f.yaml")
    if expected is not None:
        assert line == expected


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = BOTH.replace("kind: Window", "kind: Windows").replace("port: 8080", "prot: 1").replace("TCP", "tcp")
    assert [line.split(": ")[1] for line in errors(text)] == [
        "spec.unit.kind",
        "spec.collect.syslog.listeners[1].transport",
        "spec.collect.http.prot",
    ]


def test_a_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE.replace("UDP", "udp"))
    with pytest.raises(ResourceError, match=r"p\.yaml:10:22: "):
        load_resources(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: \xff\xfe", "byte 0xff is not UTF-8"),
        (b"\x1f\x8b\x08\x00gzip", "byte 0x8b is not UTF-8"),
        (b"#" * (1024 * 1024 + 1), "larger than 1024 KiB"),
    ],
)
def test_a_file_that_is_no_yaml_text_is_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(ResourceError, match=message):
        load_resources(path)


def test_a_missing_file_and_a_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"nope\.yaml: cannot be read: No such file"):
        load_resources(tmp_path / "nope.yaml")
    with pytest.raises(ResourceError, match="cannot be read: Is a directory"):
        load_resources(tmp_path)


def test_one_machine_needs_the_model_in_the_file() -> None:
    with pytest.raises(ResourceError, match="no AnomalyModel named 'campus' in this file; it has no AnomalyModel"):
        load_pipelines(PIPELINE)


def test_a_pipeline_gets_the_model_of_its_own_namespace() -> None:
    def of(text: str, namespace: str) -> str:
        return text.replace("name: campus\n", f"name: campus\n  namespace: {namespace}\n", 1)

    text = "---\n".join(of(one, namespace) for one in (MODEL, PIPELINE) for namespace in ("a", "b"))
    pairs = load_pipelines(text)
    assert [pair.pipeline.metadata.namespace for pair in pairs] == ["a", "b"]
    assert [pair.model.metadata.namespace for pair in pairs] == ["a", "b"]


def test_what_is_wrong_with_a_regular_expression_is_said() -> None:
    (line,) = errors(MODEL.replace("kind: Window", "kind: Session\n    session:\n      key: blk_("))
    assert "spec.unit.session.key: found 'blk_(', allowed: a regular expression; this is none: missing )" in line


def test_one_machine_needs_a_pipeline() -> None:
    with pytest.raises(ResourceError, match="no LogPipeline found"):
        load_pipelines(MODEL)
