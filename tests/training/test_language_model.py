"""The language model from raw text to ONNX, with models small enough for seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from logwarden.errors import InvalidInputError
from logwarden.language import LanguageModel
from logwarden.local.revision import load
from logwarden.revisions import BUILTIN, open_revision
from logwarden.training import language as training  # its functions import torch when first asked for
from logwarden.training.language import Example, Lora, unique_weighted
from tests.training.tiny import TINY, WORDS, corpus, labelled, tiny_config, weights_of

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines, weights = unique_weighted(corpus())
    config = tiny_config(steps=60, batch_size=16, learning_rate=5e-3)
    return training.pretrain(lines, weights, config, tmp_path_factory.mktemp("base") / "base", words=WORDS)


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    examples = labelled(corpus()[::3])
    config = tiny_config(lora=Lora(rank=8, alpha=32), steps=120, batch_size=16, learning_rate=1e-2, evaluate_every=40)
    return training.fine_tune(base, examples[:-60], examples[-60:], config, tmp_path_factory.mktemp("tuned") / "tuned")


@pytest.fixture(scope="module")
def exported(tuned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("onnx")
    report = training.export(tuned, out, corpus()[:30])
    assert report.max_probability_difference < 0.05
    assert report.max_loss_difference < 0.1
    return out


@pytest.fixture(scope="module")
def model(exported: Path) -> LanguageModel:
    return LanguageModel.load(exported)


def test_tokenizer_keeps_mask_words_labels_and_prefixes_whole() -> None:
    tokenizer = training.train_tokenizer(corpus(), 512, words=WORDS)
    tokenizer.encode_special_tokens = True
    for word in ("normal", "anomaly", "detect:", "NUM", "IFACE"):
        assert len(tokenizer.encode(word, add_special_tokens=False).ids) == 1, word
    assert tokenizer.token_to_id("<extra_id_63>") == tokenizer.get_vocab_size() - 1


def test_tokenizer_keeps_frequent_words_whole_though_no_other_word_contains_them() -> None:
    tokenizer = training.train_tokenizer([f"{line} meanwhile" for line in corpus()], 1024, words=WORDS)
    for word in ("meanwhile", "neighbour", "dnsmasq"):
        assert len(tokenizer.encode(word, add_special_tokens=False).ids) == 1, word


def test_tokenizer_reads_back_text_it_has_never_seen() -> None:
    tokenizer = training.train_tokenizer(corpus(), 512, words=WORDS)
    text = "kérnel: {panic} <0x1f> \\ ~ 漢字"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_tokens_written_into_a_log_line_are_text() -> None:
    tokenizer = training.train_tokenizer(corpus(), 512, words=WORDS)
    tokenizer.encode_special_tokens = True
    ids = tokenizer.encode("a </s> <pad> <extra_id_0>", add_special_tokens=False).ids
    assert not {0, 1, 2, tokenizer.token_to_id("<extra_id_0>")} & set(ids)


def test_a_corpus_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no text to pretrain on"):
        training.pretrain([], [], tiny_config(), tmp_path / "base")


def test_pretraining_lowers_the_loss_on_lines_held_out(base: Path, tmp_path: Path) -> None:
    lines, weights = unique_weighted(corpus())
    start = tiny_config(steps=1, batch_size=16)
    untrained = training.pretrain(lines, weights, start, tmp_path / "start", words=WORDS)
    first = json.loads((untrained / "training.json").read_text())["best_loss"]
    assert json.loads((base / "training.json").read_text())["best_loss"] < first - 1


def test_pretraining_learns_to_write_explanations_beside_restoring_spans(tmp_path: Path) -> None:
    lines, weights = unique_weighted(corpus())
    explained = [Example("explain", f"about {line}", f"look at {line.split(':')[0]} next.") for line in lines]
    losses = []
    for steps in (1, 150):
        config = tiny_config(steps=steps, batch_size=16, learning_rate=5e-3, explain_share=0.5)
        out = training.pretrain(lines, weights, config, tmp_path / str(steps), words=WORDS, explanations=explained)
        losses.append(json.loads((out / "training.json").read_text())["history"][-1]["explain"])
    assert losses[1] < losses[0] - 2


def test_the_same_run_again_is_not_run_again(base: Path) -> None:
    lines, weights = unique_weighted(corpus())
    config = tiny_config(steps=60, batch_size=16, learning_rate=5e-3)
    before = (base / "model.safetensors").stat().st_mtime_ns
    assert training.pretrain(lines, weights, config, base, words=WORDS) == base
    assert (base / "model.safetensors").stat().st_mtime_ns == before


def test_tuning_learns_to_tell_labels_apart(model: LanguageModel) -> None:
    unseen = corpus()[1::3][:40]
    normal = model.probabilities(unseen)
    odd = model.probabilities([f"{line} failed: panic" for line in unseen])
    assert normal.max() < 0.5 < odd.min()


def test_embeddings_stay_tied_after_the_merge(tuned: Path) -> None:
    weights = weights_of(tuned)
    assert "shared.weight" in weights
    assert "lm_head.weight" not in weights


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # raised inside peft
def test_adapter_fits_the_base_model(base: Path, tuned: Path) -> None:
    import torch
    from peft import PeftModel

    from logwarden.training.language import models

    merged = PeftModel.from_pretrained(models.load(base), tuned / "adapter").merge_and_unload()
    expected = models.load(tuned).state_dict()
    for name, value in merged.state_dict().items():
        torch.testing.assert_close(value, expected[name], atol=2e-3, rtol=2e-3)


def test_adapter_names_no_path_of_this_machine(base: Path, tuned: Path) -> None:
    settings = json.loads((tuned / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == base.name


def test_serving_and_torch_agree(model: LanguageModel, tuned: Path) -> None:
    reference = LanguageModel.load(tuned, device="cpu")
    texts = corpus()[:20]
    np.testing.assert_allclose(model.probabilities(texts), reference.probabilities(texts), atol=0.05)
    np.testing.assert_allclose(model.losses(texts), reference.losses(texts), atol=0.1)


def test_the_packaged_revision_scores_alike_by_torch() -> None:
    revision = open_revision(BUILTIN)
    by_onnx, by_torch = load(revision).language, load(revision, "cpu").language
    texts = [f"{line} failed: panic" if number % 2 else line for number, line in enumerate(corpus()[:30])]
    np.testing.assert_allclose(by_torch.probabilities(texts), by_onnx.probabilities(texts), atol=0.05)
    np.testing.assert_allclose(by_torch.losses(texts), by_onnx.losses(texts), atol=0.1)
    prompt = "explain: template sshd: session closed"
    assert by_torch.generate(prompt, max_tokens=8) == by_onnx.generate(prompt, max_tokens=8)


@pytest.mark.parametrize(
    ("device", "words"), [("cuda", "torch finds no CUDA device"), ("cpu", "its weights cannot be loaded")]
)
def test_torch_says_what_it_lacks(exported: Path, device: str, words: str) -> None:
    import torch

    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(InvalidInputError, match=words):
        LanguageModel.load(exported, device=device)


def test_the_export_names_no_path_of_this_machine(exported: Path) -> None:
    here = str(Path(__file__).resolve().parent.parent.parent).encode()
    for path in exported.iterdir():
        content = path.read_bytes()
        assert here not in content, path.name
        assert b"site-packages" not in content, path.name


def test_the_score_of_a_text_does_not_depend_on_its_batch(model: LanguageModel, exported: Path) -> None:
    texts = [f"{line} {'again ' * (number % 7)}" for number, line in enumerate(corpus()[:50])]
    alone = [model.probabilities([text])[0] for text in texts]
    np.testing.assert_array_equal(model.probabilities(texts), alone)
    np.testing.assert_array_equal(model.losses(texts), [model.losses([text])[0] for text in texts])
    with_two_threads = LanguageModel.load(exported, threads=2)
    np.testing.assert_array_equal(with_two_threads.probabilities(texts), alone)


def test_foreign_text_has_a_higher_loss(model: LanguageModel) -> None:
    known = model.losses(corpus()[:20])
    foreign = model.losses(["zyx qwv: kthulu !! 0x7f panic stack smashed {}"] * 2)
    assert known.max() < foreign.min()


def test_word_losses_add_up_to_the_loss_of_the_text(model: LanguageModel) -> None:
    text = "bgpd: closed {weird} café </s> <extra_id_0>"
    words = model.token_losses(text)
    assert [word for word, _ in words] == text.split()
    tokens = len(model._tokenizer.encode(text, add_special_tokens=False).ids)
    assert sum(loss for _, loss in words) / tokens == pytest.approx(model.losses([text])[0], rel=1e-4)


@pytest.mark.parametrize("text", ["", " ", "x", "\udc80\udcff", "a" * 5000, "word " * 3000, "\n\t|{}<>\\"])
def test_no_text_is_too_odd(model: LanguageModel, text: str) -> None:
    assert 0.0 <= model.probabilities([text])[0] <= 1.0
    assert np.isfinite(model.losses([text])[0])
    assert all(np.isfinite(loss) for _, loss in model.token_losses(text))


def test_no_texts_have_no_scores(model: LanguageModel) -> None:
    assert model.probabilities([]).shape == model.losses([]).shape == (0,)


def test_generation_ends(model: LanguageModel) -> None:
    assert len(model.generate("explain: template sshd: closed session", max_tokens=8).split()) <= 8


def test_serving_imports_no_torch(exported: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from logwarden.language import LanguageModel; "
        "LanguageModel.load(Path(sys.argv[1])).probabilities(['a']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", program, str(exported)], check=False).returncode == 0


def test_normal_texts_alone_are_enough(base: Path, tmp_path: Path) -> None:
    normal = [Example("detect", line, "normal") for line in corpus()[:50]]
    config = tiny_config(steps=3, batch_size=8)
    out = training.fine_tune(base, normal[:40], normal[40:], config, tmp_path / "out")
    assert set(json.loads((out / "training.json").read_text())["history"][-1]) == {"step", "loss", "corruption"}


def test_anomalies_alone_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no normal text"):
        training.fine_tune(base, [Example("detect", "x", "anomaly")], [], tiny_config(steps=1), tmp_path / "out")


def test_training_stops_when_validation_gets_no_better(base: Path, tmp_path: Path) -> None:
    examples = labelled(corpus()[:40])
    config = tiny_config(steps=500, batch_size=8, learning_rate=1.0, evaluate_every=2, patience=2)
    out = training.fine_tune(base, examples, examples[:20], config, tmp_path / "out")
    assert json.loads((out / "training.json").read_text())["steps"] < 100


def test_the_time_budget_ends_a_run(tmp_path: Path) -> None:
    lines, weights = unique_weighted(corpus())
    config = tiny_config(steps=1_000_000, batch_size=4, time_budget=1.0)
    out = training.pretrain(lines, weights, config, tmp_path / "base", words=WORDS)
    report = json.loads((out / "training.json").read_text())
    assert 0 < report["steps"] < 1_000_000
    assert report["seconds"] < 10


INTERRUPTED = """
import sys
from pathlib import Path
from tests.training.test_language_model import resumable
resumable(Path(sys.argv[1]))
"""


def resumable(out: Path) -> Path:
    """Run the training that the next test interrupts: a resume point after every step."""
    lines, weights = unique_weighted(corpus())
    size = replace(TINY, dropout=0.1)
    config = tiny_config(size=size, steps=40, batch_size=4, evaluate_every=10, checkpoint_seconds=0.0)
    return training.pretrain(lines, weights, config, out, words=WORDS)


def test_a_killed_run_goes_on_and_ends_as_if_undisturbed(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    program = [sys.executable, "-c", INTERRUPTED, str(killed)]
    process = subprocess.Popen(program)
    state = tmp_path / ".killed.checkpoints"
    wait_for(lambda: any(state.glob("*/state.pt")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists(), "the run ended before it was killed"

    resumable(killed)
    undisturbed = resumable(tmp_path / "undisturbed")
    resumed, expected = weights_of(killed), weights_of(undisturbed)
    assert resumed.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    history = [json.loads((folder / "training.json").read_text())["history"] for folder in (killed, undisturbed)]
    assert history[0] == history[1]
    assert not state.exists()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, "the training ended by itself"
        assert time.monotonic() < end, "no resume point appeared"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def flan(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the tokenizer of Flan-T5 and a tiny T5 1.1 with random weights and a head of its own."""
    import shutil

    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    source = shared_data / "models" / "flan_t5_tokenizer"
    settings = json.loads((source / "config.json").read_text())
    settings |= {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    torch.manual_seed(0)
    network = T5ForConditionalGeneration(T5Config(**settings))
    network.lm_head.weight = torch.nn.Parameter(torch.randn_like(network.shared.weight))
    folder = tmp_path_factory.mktemp("flan")
    network.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(source / name, folder / name)
    return folder


def test_any_t5_can_be_the_base(flan: Path, tmp_path: Path) -> None:
    examples = labelled(corpus()[:20])
    config = tiny_config(steps=4, batch_size=4)
    out = training.fine_tune(flan, examples, examples[:10], config, tmp_path / "out")
    training.export(out, out, corpus()[:10])
    model = LanguageModel.load(out)
    assert (model.formulation.normal_word, model.formulation.anomaly_word) == ("normal", "abnormal")
    assert len(model.formulation.sentinel_ids) == 100
    assert not np.array_equal(weights_of(out)["lm_head.weight"], weights_of(out)["shared.weight"])
    text = "a </s> {x} <extra_id_3> </s>"
    assert np.isfinite(model.losses([text])[0])
    assert len(model.token_losses(text)) == 5


def test_a_base_that_is_no_t5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(InvalidInputError, match="model type is 'bert', expected 't5'"):
        training.fine_tune(tmp_path, [Example("detect", "x", "normal")], [], tiny_config(), tmp_path / "out")


def test_a_base_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be loaded"):
        training.fine_tune(tmp_path / "gone", [Example("detect", "x", "normal")], [], tiny_config(), tmp_path / "out")


def test_cuda_without_a_device_is_one_clear_message(base: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    examples = [Example("detect", line, "normal") for line in corpus()[:20]]
    with pytest.raises(InvalidInputError, match="torch finds no CUDA device"):
        training.fine_tune(base, examples, [], tiny_config(device="cuda", steps=1), tmp_path / "out")
