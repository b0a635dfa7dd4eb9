"""Checkpoint folders in Hugging Face's layout: ``config.json`` and safetensors, read and written without transformers.

Four architectures: GPT-NeoX (Pythia), which is our ``neox`` family; Qwen3 and Llama, which are our ``modern`` family
with SwiGLU, with and without norms of queries and keys; and GPT-2, read only. Weights are never opened from pickles.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pilebuilder.errors import PilebuilderError
from pilebuilder.train.config import Model, TrainConfig
from pilebuilder.train.gpt2 import GPT2, rename
from pilebuilder.train.model import GPT, NEOX_ROTATED, Linear

Tensors = dict[str, Tensor]

LLAMA = {
    "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.out": "self_attn.o_proj",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
    "attention.q_norm": "self_attn.q_norm",  # of Qwen3
    "attention.k_norm": "self_attn.k_norm",
}
NEOX = {
    "attention_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attention.out": "attention.dense",
    "mlp.up": "mlp.dense_h_to_4h",
    "mlp.down": "mlp.dense_4h_to_h",
}
QKV = "attention.query_key_value"


class ExchangeError(PilebuilderError):
    """A checkpoint folder that cannot be read, or a network that has no published architecture."""


def _outer(family: str) -> dict[str, str]:
    if family == "neox":
        return {"embed": "gpt_neox.embed_in", "norm": "gpt_neox.final_layer_norm", "head": "embed_out"}
    return {"embed": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}


def _blocks(family: str) -> tuple[str, dict[str, str]]:
    return ("gpt_neox.layers", NEOX) if family == "neox" else ("model.layers", LLAMA)


def to_hub(state: Tensors, shape: Model) -> Tensors:
    """Our tensors under the published names; GPT-NeoX joins query, key and value, head by head."""
    outer, (prefix, names) = _outer(shape.family), _blocks(shape.family)
    found: Tensors = {}
    for name, tensor in state.items():
        part, _, kind = name.rpartition(".")
        if part in outer:
            found[f"{outer[part]}.{kind}"] = tensor
            continue
        _, number, inner = part.split(".", 2)
        if inner in names:
            found[f"{prefix}.{number}.{names[inner]}.{kind}"] = tensor
        elif inner == "attention.q":
            rest = [state[f"blocks.{number}.attention.{x}.{kind}"] for x in "kv"]
            split = [x.view(shape.heads, 1, shape.head_width, *x.shape[1:]) for x in (tensor, *rest)]
            found[f"{prefix}.{number}.{QKV}.{kind}"] = torch.cat(split, 1).flatten(0, 2)
        else:
            assert inner in ("attention.k", "attention.v"), name
    return found


def from_hub(tensors: Tensors, shape: Model) -> Tensors:
    """The inverse of `to_hub`; tensors that are no weights (masks, frequencies) are left out."""
    # Some files name GPT-NeoX's head as other architectures do.
    back = {"lm_head": "head"} | {theirs: ours for ours, theirs in _outer(shape.family).items()}
    prefix, names = _blocks(shape.family)
    inner_back = {theirs: ours for ours, theirs in names.items()}
    found: Tensors = {}
    for name, tensor in tensors.items():
        part, _, kind = name.rpartition(".")
        if part in back:
            found[f"{back[part]}.{kind}"] = tensor
        elif part.startswith(prefix + "."):
            number, _, inner = part.removeprefix(prefix + ".").partition(".")
            if inner in inner_back:
                found[f"blocks.{number}.{inner_back[inner]}.{kind}"] = tensor
            elif inner == QKV:
                split = tensor.view(shape.heads, 3, shape.head_width, *tensor.shape[1:])
                for i, x in enumerate("qkv"):
                    found[f"blocks.{number}.attention.{x}.{kind}"] = split[:, i].flatten(0, 1).contiguous()
    return found


def hub_config(config: TrainConfig, vocabulary: int, end: int) -> dict[str, Any]:
    """``config.json`` for a network of ours; raises `ExchangeError` for one that has no published class."""
    shape = config.model
    common = {
        "vocab_size": vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "max_position_embeddings": config.data.sequence,
        "bos_token_id": end,
        "eos_token_id": end,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    if shape.family == "neox":
        return {
            "architectures": ["GPTNeoXForCausalLM"],
            "model_type": "gpt_neox",
            **common,
            "hidden_act": "gelu",
            "layer_norm_eps": EPSILON_NEOX,
            "rotary_pct": NEOX_ROTATED,
            "rotary_emb_base": shape.rotary_base,
            "use_parallel_residual": True,
            "attention_bias": True,
        }
    if shape.activation != "swiglu":
        raise ExchangeError(
            f"model.activation {shape.activation} has no class in transformers (no published model has it in such a"
            " block), so the network cannot be exported; train with model.activation swiglu or model.family neox"
        )
    kind = (
        {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "use_sliding_window": False}
        if shape.qk_norm
        else {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "mlp_bias": False}
    )
    return {
        **kind,
        **common,
        "head_dim": shape.head_width,
        "num_key_value_heads": shape.heads,
        "hidden_act": "silu",
        "rms_norm_eps": EPSILON_MODERN,
        "rope_theta": shape.rotary_base,
        "attention_bias": False,
    }


EPSILON_NEOX, EPSILON_MODERN = 1e-5, 1e-6
"""Of the norms in `model`: LayerNorm's default, and `RMSNorm`'s."""


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a checkpoint folder."""
    path = folder / "config.json"
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        content["model_type"]
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read ({error.strerror}); give a folder with a checkpoint") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ExchangeError(f"{path} is not the configuration of a published model: {error!r}") from error
    return content


def read_network(folder: Path) -> tuple[nn.Module, int]:
    """The network in a folder, fp32 on the CPU, and the longest context it knows."""
    config = read_config(folder)
    kind = config["model_type"]
    if kind not in ("gpt2", "gpt_neox", "llama", "qwen3"):
        raise ExchangeError(f"{folder}: model_type {kind!r} is not read here; there are gpt2, gpt_neox, llama, qwen3")
    try:
        if kind == "gpt2":
            return _gpt2(folder, config), int(config.get("n_positions") or config["n_ctx"])
        return _ours(folder, config, kind), int(config["max_position_embeddings"])
    except KeyError as error:
        raise ExchangeError(f"{folder}/config.json lacks {error}") from error


def _gpt2(folder: Path, config: dict[str, Any]) -> GPT2:
    _must(folder, config, activation_function="gelu_new", scale_attn_weights=True, layer_norm_epsilon=1e-5)
    length = int(config.get("n_positions") or config["n_ctx"])
    with torch.device("meta"):
        network = GPT2(config["vocab_size"], length, config["n_embd"], config["n_layer"], config["n_head"])
    _fill(network, rename(read_tensors(folder)), folder)
    return network


class _Blank(GPT):
    """Weights come from a file: nothing to draw."""

    def reset(self, seed: int) -> None:
        """Leave the weights as they are."""


def _ours(folder: Path, config: dict[str, Any], kind: str) -> GPT:
    turned = config.get("rope_parameters") or {}  # of transformers 5
    base = turned.get("rope_theta") or config.get("rotary_emb_base" if kind == "gpt_neox" else "rope_theta", 10_000.0)
    shape = Model(
        family="neox" if kind == "gpt_neox" else "modern",
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        qk_norm=kind == "qwen3",
        rotary_base=float(base),
    )
    if kind == "gpt_neox":
        config = {"rotary_pct": turned.get("partial_rotary_factor", NEOX_ROTATED), **config}
        _must(folder, config, hidden_act="gelu", layer_norm_eps=EPSILON_NEOX, rotary_pct=NEOX_ROTATED)
        _must(folder, config, use_parallel_residual=True, attention_bias=True, intermediate_size=shape.hidden)
    else:
        _must(folder, config, hidden_act="silu", rms_norm_eps=EPSILON_MODERN, num_key_value_heads=shape.heads)
        _must(folder, config, head_dim=shape.head_width, use_sliding_window=False, intermediate_size=shape.hidden)
        _must(folder, config, attention_bias=False, mlp_bias=False)
    _must(folder, config, tie_word_embeddings=False, rope_scaling=None)
    _must(folder, turned, rope_type="default")
    vocabulary = config["vocab_size"]
    with torch.device("meta"):
        network = _Blank(shape, vocabulary)
        # The file's own number of rows: a padded row would take part in the softmax.
        network.embed = nn.Embedding(vocabulary, shape.width)
        network.head = Linear(shape.width, vocabulary, bias=False)
    _fill(network, from_hub(read_tensors(folder), shape), folder)
    return network


def _must(folder: Path, config: dict[str, Any], **wanted: Any) -> None:
    """Refuse by name what the network here does not do; a key that is not there has the published default."""
    for key, value in wanted.items():
        held = config.get(key, value)
        if held != value:
            raise ExchangeError(f"{folder}/config.json: {key} is {held!r}; only {value!r} is read here")


def _fill(network: nn.Module, tensors: Tensors, folder: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing = sorted(set(wanted) - set(tensors))
    if missing:
        raise ExchangeError(f"{folder}: the weights lack {missing[0]} and {len(missing) - 1} more; the files are cut")
    for name, shape in wanted.items():
        if tuple(tensors[name].shape) != shape:
            raise ExchangeError(f"{folder}: {name} has shape {tuple(tensors[name].shape)}, config.json asks {shape}")
    network.load_state_dict({name: tensors[name].float() for name in wanted}, assign=True)
    network.requires_grad_(False)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, in the order of their names; raises for pickles, by name."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ExchangeError(f"{index} is not an index of weights: {error!r}") from error
        if any(Path(name).name != name for name in names):
            raise ExchangeError(f"{index} names files outside its folder")
        found = [folder / name for name in names]
    else:
        found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickles = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for p in folder.glob(pattern))
        if pickles:
            raise ExchangeError(
                f"{folder / pickles[0]} is a pickle, which can run any code when it is opened. Convert it on a machine"
                " that may, with transformers: AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW),"
                " which writes model.safetensors, and give that folder"
            )
        raise ExchangeError(f"{folder} holds no *.safetensors")
    missing = [path.name for path in found if not path.is_file()]
    if missing:
        raise ExchangeError(f"{folder} lacks {missing[0]}, which its index names; fetch the folder again")
    return found


def read_tensors(folder: Path) -> Tensors:
    """All tensors of a folder's safetensors files."""
    tensors: Tensors = {}
    for path in weight_files(folder):
        try:
            tensors |= load_file(path)
        except Exception as error:  # safetensors raises its own bare exception
            raise ExchangeError(f"{path} is not a whole safetensors file: {error}") from error
    return tensors
