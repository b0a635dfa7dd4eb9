"""Export and import against transformers: equal logits, equal bytes on the way back, refusals by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pilebuilder import train  # noqa: E402
from pilebuilder.errors import PilebuilderError  # noqa: E402
from pilebuilder.train import exchange  # noqa: E402
from pilebuilder.train.export import export  # noqa: E402
from pilebuilder.train.subject import Subject, open_subject  # noqa: E402
from tests.train.written import byte_config, make_text_corpus  # noqa: E402

FAMILIES = {
    "modern": {"layers": 2, "width": 64, "heads": 2},
    "llama": {"layers": 2, "width": 64, "heads": 2, "qk_norm": False},
    "neox": {"layers": 2, "width": 64, "heads": 2, "family": "neox"},
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_text_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def exported(request: Any, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, Path]:
    folder = tmp_path_factory.mktemp("run")
    train.run(corpus, folder / "first", byte_config(model=FAMILIES[request.param], tokens=3 * 256))
    subject = open_subject(folder / "first")
    with torch.no_grad():  # norms and biases that are not still ones and zeros
        maker = torch.Generator().manual_seed(5)
        for weight in subject.network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=maker))
    return subject, export(subject, folder / "out", evaluations=[])


def test_logits_and_gradients_equal_those_of_transformers(exported: tuple[Subject, Path]) -> None:
    transformers = pytest.importorskip("transformers")
    subject, folder = exported
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert type(theirs).__name__ == json.loads((folder / "config.json").read_bytes())["architectures"][0]
    ids = torch.randint(0, 256, (2, 32), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(subject.network.logits(ids), theirs(ids).logits, atol=1e-5, rtol=1e-5)
    again = open_subject(folder).network.requires_grad_(True)
    for network in (again, theirs):
        found = again.logits(ids) if network is again else theirs(ids).logits
        torch.nn.functional.cross_entropy(found.flatten(0, 1), ids.flatten()).backward()
    mine = exchange.to_hub({n: p.grad for n, p in again.named_parameters()}, subject.config.model)
    for name, weight in theirs.named_parameters():
        # Transformers 5 calls GPT-NeoX's head so in memory, and ``embed_out`` in files.
        own = name if name in mine else name.replace("lm_head", "embed_out")
        torch.testing.assert_close(mine[own], weight.grad, atol=1e-6, rtol=1e-4)


def test_the_tokenizer_of_the_export_is_the_one_of_the_corpus(exported: tuple[Subject, Path]) -> None:
    transformers = pytest.importorskip("transformers")
    subject, folder = exported
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs("Counting words.", add_special_tokens=False).input_ids == list(b"Counting words.")
    assert theirs.eos_token_id == subject.identity["eod"]


def test_the_export_read_and_written_again_is_the_same_bytes(exported: tuple[Subject, Path], tmp_path: Path) -> None:
    subject, folder = exported
    held = open_subject(folder)
    ids = torch.arange(40)[None]
    assert torch.equal(held.network.logits(ids), subject.network.logits(ids))
    assert held.identity["sha256"] == subject.identity["sha256"]
    again = export(replace(held, config=subject.config, facts=subject.facts), tmp_path / "again", evaluations=[])
    for name in ("model.safetensors", "config.json", "tokenizer.json", "generation_config.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_the_model_card_has_its_head_data_and_limits(exported: tuple[Subject, Path]) -> None:
    import yaml

    text = (exported[1] / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "transformers"
    for part in ("## Data", "## Evaluation", "Not measured", "## Limits", exported[0].facts["weights"]):
        assert part in body


def test_gpt2_is_read_as_transformers_reads_it(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=300, n_positions=32, n_embd=32, n_layer=2, n_head=2)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    network, length = exchange.read_network(tmp_path)
    ids = torch.randint(0, 300, (2, 32), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network.logits(ids), theirs(ids).logits, atol=1e-5, rtol=1e-5)
    nll = network.loss(ids[:, :-1], ids[:, 1:], scale=1.0)[1].mean()
    torch.testing.assert_close(nll, theirs(ids, labels=ids).loss, atol=1e-5, rtol=1e-5)
    assert length == 32


def test_pythia_as_published_is_read(tmp_path: Path) -> None:
    """Old keys in ``config.json``, fp16 weights in two files, masks and frequencies among them."""
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    config = transformers.GPTNeoXConfig(
        vocab_size=301, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=48,
    )  # fmt: skip
    theirs = transformers.GPTNeoXForCausalLM(config).half().eval()
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    tensors["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = torch.ones(4)
    (tmp_path / "model.safetensors").unlink()
    parts = {"model-00001-of-00002.safetensors": {}, "model-00002-of-00002.safetensors": {}}
    for k, (name, tensor) in enumerate(sorted(tensors.items())):
        parts[sorted(parts)[k % 2]][name] = tensor
    for name, held in parts.items():
        save_file(held, tmp_path / name)
    index = {"weight_map": {name: part for part, held in parts.items() for name in held}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    old = {
        "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "vocab_size": 301, "hidden_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256, "hidden_act": "gelu",
        "max_position_embeddings": 48, "rotary_pct": 0.25, "rotary_emb_base": 10000, "layer_norm_eps": 1e-05,
        "use_parallel_residual": True, "tie_word_embeddings": False,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(old))
    network, length = exchange.read_network(tmp_path)
    ids = torch.randint(0, 301, (2, 48), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network.logits(ids), theirs.float()(ids).logits, atol=1e-5, rtol=1e-5)
    assert (length, network.logits(ids).shape[-1]) == (48, 301)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_key_value_heads": 2}, "num_key_value_heads is 2; only 4 is read"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0}}, "rope_type is 'llama3'"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings is True"),
        ({}, ""),
    ],
)
def test_llama_is_read_or_refused_by_what_differs(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        intermediate_size=192, max_position_embeddings=32, rms_norm_eps=1e-6,
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    held = json.loads((tmp_path / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**held, **changes}))
    if message:
        with pytest.raises(PilebuilderError, match=message):
            exchange.read_network(tmp_path)
        return
    network, _ = exchange.read_network(tmp_path)
    ids = torch.randint(0, 300, (2, 32), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network.logits(ids), theirs(ids).logits, atol=1e-5, rtol=1e-5)


def test_an_activation_without_a_class_is_refused_by_name(corpus: Path, tmp_path: Path) -> None:
    shape = {"layers": 1, "width": 32, "heads": 1, "activation": "relu2"}
    train.run(corpus, tmp_path / "run", byte_config(model=shape, tokens=256))
    with pytest.raises(exchange.ExchangeError, match=r"relu2 has no class in transformers.*swiglu"):
        export(open_subject(tmp_path / "run"), tmp_path / "out", evaluations=[])
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_is_there_is_not_overwritten(exported: tuple[Subject, Path]) -> None:
    with pytest.raises(PilebuilderError, match="there already"):
        export(exported[0], exported[1], evaluations=[])


def test_bad_folders_are_named(exported: tuple[Subject, Path], tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return shutil.copytree(exported[1], tmp_path / name)

    with pytest.raises(PilebuilderError, match="no such folder"):
        open_subject(tmp_path / "none")
    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(PilebuilderError, match=r"pytorch_model\.bin is a pickle.*save_pretrained"):
        open_subject(pickled)
    cut = copy("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(PilebuilderError, match="not a whole safetensors"):
        open_subject(cut)
    missing = copy("missing")
    from safetensors.torch import load_file, save_file

    tensors = load_file(missing / "model.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, missing / "model.safetensors")
    with pytest.raises(PilebuilderError, match="weights lack"):
        open_subject(missing)
    for key, value, words in (
        ("model_type", "mamba", "'mamba' is not read here"),
        ("hidden_act", "tanh", "hidden_act is 'tanh'"),
        ("vocab_size", 512, "has shape"),
        ("intermediate_size", 8, "intermediate_size is 8"),
    ):
        wrong = copy(f"wrong-{key}")
        content = json.loads((wrong / "config.json").read_bytes())
        (wrong / "config.json").write_text(json.dumps({**content, key: value}))
        with pytest.raises(PilebuilderError, match=words):
            open_subject(wrong)
    broken = copy("broken")
    (broken / "config.json").write_text("{")
    with pytest.raises(PilebuilderError, match=r"config\.json is not the configuration"):
        open_subject(broken)
    outside = copy("outside")
    (outside / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../cut/x.safetensors"}}))
    with pytest.raises(PilebuilderError, match="outside its folder"):
        open_subject(outside)
    alone = copy("alone")
    (alone / "tokenizer.json").unlink()
    with pytest.raises(PilebuilderError, match="--tokenizer"):
        open_subject(alone)
