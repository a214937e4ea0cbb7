"""AnomalyModel: which base model is tuned on which history, how it is judged, served and asked to explain."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from logwarden.api.base import (
    Allowed,
    Duration,
    Fraction,
    IsRegex,
    ObjectName,
    Resource,
    Resources,
    ResourceStatus,
    Rule,
    SecretKeyRef,
    SecretRef,
    Spec,
    Status,
    Text,
    Url,
    nested,
)

Family = Literal["T5", "BERT", "Llama"]
UnitName = Literal["Line", "Window", "Session", "Flow"]
TrainingMode = Literal["SemiSupervised", "Supervised"]
DataFormat = Literal["auto", "lines", "ndjson", "hdfs", "bgl", "cicids2017", "nslkdd", "lab", "parquet"]
Runtime = Literal["auto", "ONNX", "Torch"]
ExplanationBackend = Literal["builtin", "OpenAI", "none"]
MaskedKind = Literal["ip", "user", "mac", "email"]
ThresholdMethod = Literal[
    "auto", "F1", "Quantile",
    # The thresholds of PyOD, by their class names.
    "AUCP", "BOOT", "CHAU", "CLF", "CLUST", "CPD", "DECOMP", "DSN", "EB", "FGD", "FILTER", "FWFM", "GAMGMM", "GESD",
    "HIST", "IQR", "KARCH", "MAD", "MCST", "META", "MIXMOD", "MOLL", "MTT", "OCSVM", "QMCD", "REGR", "VAE", "WIND",
    "YJ", "ZSCORE",
]  # fmt: skip

RevisionId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{12}$", max_length=12),
    Allowed("the id of a revision: 12 hexadecimal digits"),
]
ModelName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(builtin|(hf|s3|gs|https|file|pvc)://\S+|[\w.-]+(/[\w.-]+)?)$", min_length=1, max_length=1024
    ),
    Allowed(
        "builtin, a Hugging Face id such as google/flan-t5-base, or a URI: hf:// s3:// gs:// https:// file:// pvc://"
    ),
]
Regex = Annotated[str, StringConstraints(min_length=1, max_length=256), IsRegex, Allowed("a regular expression")]
DataUri = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z][a-z0-9+.-]*://)?\S+$", min_length=1, max_length=2048),
    Allowed("a path or a URI such as s3://logs/2026/10/"),
]
StorageUri = Annotated[
    str,
    StringConstraints(pattern=r"^(pvc|s3|gs|file)://\S+$", max_length=2048),
    Allowed("a URI that can be written: pvc:// s3:// gs:// file://"),
]
CronSchedule = Annotated[
    str,
    StringConstraints(
        pattern=r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|(\S+\s+){4}\S+)$", max_length=128
    ),
    Allowed("a cron line of five fields such as '0 3 * * 0', or @daily"),
]


class BaseModelSpec(Spec):
    """The language model that is tuned."""

    RULES: ClassVar = (
        Rule(
            "self.model != 'builtin' || self.family == 'T5'",
            "the builtin model is a T5: set family to T5, or name another model",
            "family",
            lambda base: base.model != "builtin" or base.family == "T5",
        ),
    )

    family: Family = Field("T5", description="Architecture of the model.")
    model: ModelName = Field(
        "builtin",
        description="`builtin` (the model packaged with Logwarden), a Hugging Face id, or a URI of a folder "
        "(`hf://`, `s3://`, `gs://`, `https://`, `file://`, `pvc://`).",
    )
    credentials_secret_ref: SecretRef | None = Field(
        None, description="Secret whose keys become environment variables of the download, such as `HF_TOKEN`."
    )


class WindowSpec(Spec):
    """Size of a window: it ends at whichever limit comes first."""

    lines: int = Field(64, ge=1, le=4096, description="Most lines in a window.")
    seconds: int = Field(30, ge=1, le=86400, description="Longest time a window spans.")


class SessionSpec(Spec):
    """How lines are gathered into sessions."""

    key: Regex = Field(description=r"Regular expression that finds the session's key in a line, such as `blk_-?\d+`.")
    idle_seconds: int = Field(600, ge=1, le=604800, description="A session ends after this time without a line.")


class UnitSpec(Spec):
    """What is scored as one: a line, a window of lines, a session or a flow record."""

    RULES: ClassVar = (
        Rule(
            "self.kind != 'Session' || has(self.session)",
            "kind Session needs session.key, a regular expression that finds the session's key in a line",
            "session",
            lambda unit: unit.kind != "Session" or unit.session is not None,
        ),
        Rule(
            "self.kind == 'Session' || !has(self.session)",
            "session is only for kind Session: remove it, or set kind to Session",
            "session",
            lambda unit: unit.kind == "Session" or unit.session is None,
        ),
    )

    kind: UnitName = Field("Window", description="What is scored as one.")
    window: WindowSpec = nested(WindowSpec, "Size of a window; used with kind Window.")
    session: SessionSpec | None = Field(None, description="How sessions are found; required with kind Session.")


class TopicHistory(Spec):
    """What the pipelines that use this model have collected."""

    last: Duration = Field(description="How far back from the start of the training, such as `7d`.")


class DatasetSpec(Spec):
    """One source of training data: a URI, or the raw topics of the pipelines that use the model."""

    RULES: ClassVar = (
        Rule(
            "has(self.uri) != has(self.topic)",
            "name exactly one of uri and topic",
            None,
            lambda dataset: (dataset.uri is None) != (dataset.topic is None),
        ),
    )

    uri: DataUri | None = Field(None, description="Path or URI of a file or folder.")
    topic: TopicHistory | None = Field(
        None, description="What all pipelines that use this model have collected, from their raw topics."
    )
    format: DataFormat = Field("auto", description="Format of the files; `auto` looks at them.")


class FeedbackSpec(Spec):
    """Use of analysts' verdicts."""

    include: bool = Field(True, description="Whether analysts' verdicts become labels of the next training.")


class LoraSpec(Spec):
    """Low-rank adapters (LoRA, Hu et al. 2021)."""

    rank: int = Field(8, ge=1, le=512, description="Rank of the adapter matrices.")
    alpha: int = Field(32, ge=1, le=2048, description="Scale of the adapter: its output is multiplied by alpha/rank.")
    dropout: float = Field(0.05, ge=0.0, lt=1.0, description="Dropout before the adapter, in training only.")
    target_modules: Annotated[Text, IsRegex] = Field(
        "auto",
        description="`auto` (the attention projections of the family), `all-linear`, or a regular expression over "
        "module names.",
    )


class TrainingSpec(Spec):
    """What the model learns from, and how. Without data sets the base model is used as it is."""

    RULES: ClassVar = (
        Rule(
            "self.mode != 'Supervised' || size(self.datasets) > 0",
            "mode Supervised needs at least one data set with labels",
            "datasets",
            lambda training: training.mode != "Supervised" or bool(training.datasets),
        ),
        Rule(
            "self.nodes <= self.batchSize",
            "nodes must not be greater than batchSize: each computes a part of every batch",
            "nodes",
            lambda training: training.nodes <= training.batch_size,
        ),
    )

    mode: TrainingMode = Field(
        "SemiSupervised",
        description="`SemiSupervised` learns what is normal and uses labels only to set the threshold; "
        "`Supervised` learns from labels.",
    )
    datasets: list[DatasetSpec] = Field(
        default_factory=list,
        max_length=32,
        description="Where the history is.",
        json_schema_extra={"default": []},
    )
    feedback: FeedbackSpec = nested(FeedbackSpec, "Use of analysts' verdicts.")
    lora: LoraSpec = nested(LoraSpec, "Settings of the LoRA adapters.")
    epochs: int = Field(3, ge=1, le=1000, description="Passes over the training part.")
    learning_rate: float = Field(3.0e-4, gt=0.0, le=1.0, description="Peak learning rate.")
    batch_size: int = Field(32, ge=1, le=4096, description="Units per optimizer step.")
    max_tokens: int = Field(512, ge=16, le=8192, description="Longest input of the model, in tokens.")
    seed: int = Field(7, ge=0, le=2147483647, description="Seed of everything random.")
    schedule: CronSchedule | None = Field(None, description="When to train again; never by default.")
    nodes: int = Field(1, ge=1, le=64, description="Pods of a training Job, which share every batch.")
    resources: Resources = nested(Resources, "Compute resources of a training pod.")
    suspend: bool = Field(False, description="True stops scheduled and automatic training.")


class ThresholdSpec(Spec):
    """How the score from which a unit is an anomaly is found, always on the validation part."""

    method: ThresholdMethod = Field(
        "auto",
        description="`auto` (F1 where labels suffice, else Quantile), `F1`, `Quantile`, or the name of a PyOD "
        "threshold.",
    )
    quantile: float = Field(0.999, ge=0.5, lt=1.0, description="Share of normal units below it; for Quantile.")
    value: Fraction | None = Field(None, description="Fixed threshold: overrides the method.")


class PromotionSpec(Spec):
    """When a new revision replaces the active one."""

    automatic: bool = Field(True, description="Whether a revision that passes the gate becomes active by itself.")
    minimum_f1: Fraction = Field(
        0.0, alias="minimumF1", description="Lowest F1 on the test part; 0 asks for none, as for data without labels."
    )
    must_beat_baselines: bool = Field(
        True, description="Whether a revision must be better than the trivial baselines on the same test part."
    )
    keep_revisions: int = Field(5, ge=1, le=100, description="How many revisions are kept, besides the active one.")
    revision: RevisionId | None = Field(
        None, description="Serve exactly this revision, whatever newer ones reach: a rollback in writing."
    )


class StorageSpec(Spec):
    """Where revisions are kept."""

    uri: StorageUri | None = Field(
        None, description="`pvc://CLAIM[/PATH]`, `s3://`, `gs://` or `file://`; by default a claim of the model's name."
    )
    credentials_secret_ref: SecretRef | None = Field(
        None, description="Secret whose keys become environment variables, such as `AWS_ACCESS_KEY_ID`."
    )


class ReplicasSpec(Spec):
    """Detector replicas, scaled by consumer lag."""

    RULES: ClassVar = (
        Rule(
            "self.min <= self.max",
            "min must not be greater than max",
            "min",
            lambda replicas: replicas.min <= replicas.max,
        ),
    )

    min: int = Field(1, ge=0, le=100, description="Fewest replicas. 0 stops the detector while no logs come.")
    max: int = Field(8, ge=1, le=100, description="Most replicas; more than partitions of the topic are idle.")
    lag_per_replica: int = Field(20000, ge=1, le=100000000, description="Waiting lines that call for one more replica.")


class ServingSpec(Spec):
    """How the model is served."""

    runtime: Runtime = Field(
        "auto", description="`ONNX` (CPU), `Torch` (GPU), or `auto`: Torch where a GPU is asked for, else ONNX."
    )
    replicas: ReplicasSpec = nested(ReplicasSpec, "Number of detectors.")
    resources: Resources = nested(Resources, "Compute resources of a detector.")


class OpenAISpec(Spec):
    """An endpoint that speaks the OpenAI API: a hosted one, Ollama, vLLM and others."""

    url: Url = Field(description="Base address, such as `http://ollama.llm:11434/v1`.")
    model: Text = Field(description="Name of the model at the endpoint.")
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="Secret with the API key.")


def _all_masks() -> list[MaskedKind]:
    return ["ip", "user", "mac", "email"]


class ExplanationSpec(Spec):
    """Who writes the explanations, and what is hidden from them."""

    RULES: ClassVar = (
        Rule(
            "self.backend != 'OpenAI' || has(self.openAI)",
            "backend OpenAI needs openAI.url and openAI.model",
            "openAI",
            lambda explanation: explanation.backend != "OpenAI" or explanation.openai is not None,
        ),
    )

    backend: ExplanationBackend = Field(
        "builtin",
        description="`builtin` (the packaged T5), `OpenAI` (any compatible endpoint) or `none` (only the evidence).",
    )
    openai: OpenAISpec | None = Field(None, alias="openAI", description="The endpoint; required with backend OpenAI.")
    mask: list[MaskedKind] = Field(
        default_factory=_all_masks,
        max_length=4,
        description="Values replaced by placeholders before a text leaves the process.",
        json_schema_extra={"default": ["ip", "user", "mac", "email"], "x-kubernetes-list-type": "set"},
    )


class AnomalyModelSpec(Spec):
    """A model that tells anomalous logs from normal ones."""

    base: BaseModelSpec = nested(BaseModelSpec, "The language model that is tuned.")
    unit: UnitSpec = nested(UnitSpec, "What is scored as one.")
    training: TrainingSpec = nested(TrainingSpec, "What the model learns from, and how.")
    threshold: ThresholdSpec = nested(ThresholdSpec, "How the threshold is found.")
    promotion: PromotionSpec = nested(PromotionSpec, "When a new revision takes over.")
    storage: StorageSpec = nested(StorageSpec, "Where revisions are kept.")
    serving: ServingSpec = nested(ServingSpec, "How the model is served.")
    explanation: ExplanationSpec = nested(ExplanationSpec, "Who writes the explanations.")


class TrainingProgress(Status):
    """How far a running training is."""

    job: ObjectName = Field(description="Name of the Job.")
    percent: float | None = Field(
        None, ge=0.0, le=100.0, description="Share of the tuning that is done, in percent, where it is known."
    )
    remaining_seconds: int | None = Field(
        None, ge=0, description="Estimated time to the end of the tuning; choosing the threshold and measuring follow."
    )
    started: str | None = Field(
        None, max_length=64, description="When it began.", json_schema_extra={"format": "date-time"}
    )


class LastFailure(Status):
    """The latest failure of a training or a rollout."""

    time: str = Field(max_length=64, description="When it happened.", json_schema_extra={"format": "date-time"})
    reason: str = Field(max_length=1024, description="One word in CamelCase.")
    message: str = Field(max_length=32768, description="What went wrong and what to do.")


ModelPhase = Literal["Pending", "Training", "Evaluating", "Ready", "Suspended", "Failed"]


class AnomalyModelStatus(ResourceStatus):
    """What the operator reports about a model.

    Conditions: DataAvailable, Trained, EvaluationPassed, Serving, Ready, Degraded.
    """

    phase: ModelPhase | None = Field(None, description="Where the model is in its life, for a table.")
    active_revision: str | None = Field(None, max_length=64, description="Id of the revision that is served.")
    latest_revision: str | None = Field(None, max_length=64, description="Id of the newest revision.")
    f1: str | None = Field(None, max_length=16, description="F1 of the active revision on its test part, as text.")
    training: TrainingProgress | None = Field(None, description="Progress of a running training.")
    last_failure: LastFailure | None = Field(None, description="The latest failure.")


class AnomalyModel(Resource):
    """An anomaly detection model: base, training, threshold, promotion, serving and explanation."""

    PLURAL: ClassVar = "anomalymodels"
    SHORT_NAME: ClassVar = "amodel"
    PRINTER_COLUMNS: ClassVar = (
        ("Phase", "string", ".status.phase", "Where the model is in its life."),
        ("F1", "string", ".status.f1", "F1 of the active revision on its test part."),
        ("Revision", "string", ".status.activeRevision", "Revision that is served."),
        ("Trained %", "number", ".status.training.percent", "Share of a running training that is done."),
        ("Age", "date", ".metadata.creationTimestamp", "Time since it was created."),
    )

    kind: Literal["AnomalyModel"] = Field(description="Always `AnomalyModel`.")
    spec: AnomalyModelSpec = nested(AnomalyModelSpec, "What is wanted.")
    status: AnomalyModelStatus | None = Field(None, description="What is; written by the operator.")
