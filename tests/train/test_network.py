"""Network, attention, loss, optimizer and guard against formulas."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from torch.nn import functional  # noqa: E402
from torch.nn.attention.flex_attention import create_block_mask, flex_attention  # noqa: E402

from pilebuilder.train import attention, loss  # noqa: E402
from pilebuilder.train.config import Guard as GuardSettings  # noqa: E402
from pilebuilder.train.config import Model  # noqa: E402
from pilebuilder.train.config import Optimizer as Settings  # noqa: E402
from pilebuilder.train.gpt2 import GPT2  # noqa: E402
from pilebuilder.train.guard import Guard  # noqa: E402
from pilebuilder.train.loss import IGNORE, linear_cross_entropy  # noqa: E402
from pilebuilder.train.model import GPT, RMSNorm, rotary, rotate  # noqa: E402
from pilebuilder.train.optim import Optimizer, orthogonalise  # noqa: E402

SHAPES = [
    Model(layers=2, width=32, heads=2),
    Model(layers=2, width=32, heads=2, activation="relu2"),
    Model(layers=2, width=32, heads=2, qk_norm=False),
    Model(layers=2, width=64, heads=2, family="neox"),
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _wanted(hidden, weight, target, scale, z):  # type: ignore[no-untyped-def]
    logits = hidden @ weight.T
    kept = target != IGNORE
    nll = functional.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    return (nll.sum() + z * (logits.logsumexp(-1).square() * kept).sum()) * scale, nll


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
@pytest.mark.parametrize("z", [0.0, 0.01])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_loss_and_gradients_equal_fp64_autograd(chunk: int, z: float, size: float) -> None:
    maker = torch.Generator().manual_seed(1)
    hidden = torch.randn(7, 5, generator=maker, dtype=torch.float64).mul(size).requires_grad_()
    weight = torch.randn(11, 5, generator=maker, dtype=torch.float64).requires_grad_()
    target = torch.tensor([0, 10, IGNORE, 3, 3, IGNORE, 9])
    loss, nll = linear_cross_entropy(hidden, weight, target, scale=0.3, z_loss=z, chunk=chunk)
    found = torch.autograd.grad(2 * loss, (hidden, weight))
    right, right_nll = _wanted(hidden, weight, target, 0.3, z)
    wanted = torch.autograd.grad(2 * right, (hidden, weight))
    torch.testing.assert_close(loss, right, rtol=1e-12, atol=1e-9)
    torch.testing.assert_close(nll, right_nll, rtol=1e-12, atol=1e-9)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_form_for_a_compiler_equals_the_one_in_place(dtype: torch.dtype) -> None:
    maker = torch.Generator().manual_seed(1)
    logits = (5 * torch.randn(6, 11, generator=maker, dtype=torch.float64)).to(dtype)
    target = torch.tensor([0, 10, IGNORE, 3, 3, 9])
    for a, b in zip(
        loss._slopes(logits, target, 0.01), loss._slopes_in_place(logits.clone(), target, 0.01), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_what_is_only_measured_forms_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight = torch.randn(9, 5), torch.randn(11, 5, requires_grad=True)
    target = torch.tensor([0, 10, IGNORE, 3, 3, IGNORE, 9, 1, 2])
    wanted = linear_cross_entropy(hidden, weight, target, scale=0.5, z_loss=0.1, chunk=4)
    monkeypatch.setattr(loss, "_slopes_in_place", None)
    with torch.no_grad():
        found = linear_cross_entropy(hidden, weight, target, scale=0.5, z_loss=0.1, chunk=4)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_loss_passes_gradcheck() -> None:
    hidden = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([1, 0, IGNORE, 5, 2])

    def scalar(h, w):  # type: ignore[no-untyped-def]
        return linear_cross_entropy(h, w, target, scale=0.5, z_loss=0.1, chunk=2)[0]

    assert torch.autograd.gradcheck(scalar, (hidden, weight))


def test_loss_of_bf16_is_near_that_of_fp64() -> None:
    maker = torch.Generator().manual_seed(1)
    hidden = torch.randn(64, 32, generator=maker).bfloat16().requires_grad_()
    weight = (torch.randn(100, 32, generator=maker) * 0.1).requires_grad_()
    target = torch.randint(0, 100, (64,), generator=maker)
    loss, _ = linear_cross_entropy(hidden, weight, target, scale=1 / 64)
    found = torch.autograd.grad(loss, (hidden, weight))
    exact = [x.detach().double().requires_grad_() for x in (hidden, weight)]
    right, _ = _wanted(*exact, target, 1 / 64, 0.0)
    for a, b in zip(found, torch.autograd.grad(right, exact), strict=True):
        assert (a.double() - b).norm() / b.norm() < 0.02
    assert float(loss.detach()) == pytest.approx(float(right.detach()), rel=5e-3)


def test_attention_equals_the_formula_with_and_without_documents() -> None:
    maker = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, 3, 10, 8, generator=maker, dtype=torch.float64) for _ in range(3))
    torch.testing.assert_close(attention.attend(q, k, v), attention.reference(q, k, v))
    documents = torch.tensor([[0] * 4 + [1] * 6, [2] * 10])
    mask = torch.ones(2, 1, 10, 10, dtype=torch.bool).tril()
    mask[0, 0, 4:, :4] = False
    assert torch.equal(attention.by_mask(documents), mask)
    for layout in ("mask", "stretches"):
        found = attention.attend(q, k, v, attention.LAYOUTS[layout](documents))
        torch.testing.assert_close(found, attention.reference(q, k, v, mask))


def _documents(rows: int, length: int, seed: int) -> torch.Tensor:
    """Stretches of all lengths, the same document again later in a row, padding (-1) at some ends."""
    maker = torch.Generator().manual_seed(seed)
    starts = torch.rand(rows, length, generator=maker) < torch.tensor([[0.5], [0.02], [0.004], [0.0]])[:rows]
    documents = starts.cumsum(1) % 3
    documents[1, -40:] = -1
    return documents


@pytest.mark.parametrize("layout", ["blocks", "stretches"])
def test_attention_within_documents_has_the_values_and_gradients_of_the_mask(layout: str) -> None:
    maker = torch.Generator().manual_seed(1)
    documents = _documents(4, 384, 5)
    grad = torch.randn(4, 2, 384, 16, generator=maker, dtype=torch.float64)
    results = []
    for name in ("mask", layout):
        q, k, v = (
            torch.randn(4, 2, 384, 16, generator=torch.Generator().manual_seed(s), dtype=torch.float64)
            for s in (2, 3, 4)
        )
        learn = layout != "blocks"  # FlexAttention has no backward on a CPU
        inputs = [x.requires_grad_(learn) for x in (q, k, v)]
        held = attention.LAYOUTS[name](documents)
        found = flex_attention(*inputs, block_mask=held) if name == "blocks" else attention.attend(*inputs, held)
        results.append([found, *(torch.autograd.grad(found, inputs, grad) if learn else ())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_blocks_are_those_that_pytorch_finds_by_looking_at_every_score() -> None:
    documents = _documents(4, 640, 7)
    stretch = attention.stretches(documents)
    wanted = create_block_mask(
        lambda b, h, q, k: (stretch[b, q] == stretch[b, k]) & (q >= k), 4, None, 640, 640, device="cpu"
    )
    found = attention.by_blocks(documents)
    assert torch.equal(found.to_dense(), wanted.to_dense())
    assert torch.equal(found.full_kv_num_blocks, wanted.full_kv_num_blocks)
    assert found.sparsity() > 50


def test_a_compiled_block_is_compiled_once_for_all_blocks_and_all_batches() -> None:
    """FlexAttention's blocks differ from batch to batch; no graph may be broken or made again for them."""
    graphs: list[object] = []

    def compiler(graph, _):  # type: ignore[no-untyped-def]
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    model = GPT(Model(layers=3, width=64, heads=2), 300)
    model.layout = "blocks"
    for block in model.blocks:
        block.compile(dynamic=False, fullgraph=True, backend=compiler)
    ids = torch.randint(0, 300, (4, 256), generator=torch.Generator().manual_seed(1))
    plain = GPT(Model(layers=3, width=64, heads=2), 300)
    with torch.no_grad():
        for seed in range(3):
            documents = _documents(4, 256, seed)
            torch.testing.assert_close(model(ids, documents), plain(ids, documents), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(model(ids), plain(ids), atol=1e-5, rtol=1e-5)
    torch._dynamo.reset()
    assert len(graphs) == 2  # with documents and without


def test_the_first_kernel_that_agrees_with_the_formula_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention.attend
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    asked = (torch.float32, 2, 8, 48)
    for layout in ("", "mask", "stretches"):
        assert attention._disagreement(cpu, *asked, layout) == ""

    def wrong(q, k, v, layout=None):  # type: ignore[no-untyped-def]
        return right(q, k, v, layout) * torch.linspace(1.0, 1.1, q.shape[-2])[:, None]

    def nan_gradient(q, k, v, layout=None):  # type: ignore[no-untyped-def]
        return right(q * torch.where(q == q.max(), float("nan"), 1.0).detach(), k, v, layout)

    def missing(*_: object) -> None:
        raise TypeError("no kernel for this shape")

    for broken, words in ((wrong, "relative errors"), (nan_gradient, "nan"), (missing, "TypeError: no kernel")):
        with monkeypatch.context() as patch:
            patch.setattr(attention, "attend", broken)
            assert words in attention._disagreement(cpu, *asked, "")
            assert words in attention._disagreement(cpu, *asked, "mask")
    shape = (torch.bfloat16, 2, 64, 2048)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    answers = iter(["no such card", ""])
    monkeypatch.setattr(attention, "_disagreement", lambda *_: next(answers))
    assert attention.select_kernel(cuda, *shape) == (
        attention.SDPBackend.FLASH_ATTENTION,
        {"cudnn_attention": "no such card"},
    )
    assert attention.select_kernel(cpu, *shape) == (None, {})
    monkeypatch.setattr(attention, "_disagreement", lambda *_: "broken")
    with pytest.raises(RuntimeError, match=r"no attention kernel.*broken"):
        attention.select_kernel(cuda, *shape)
    assert attention.select_layout(cuda, *shape, compiled=True) == ("mask", {"blocks": "broken"})
    assert attention.select_layout(cuda, torch.bfloat16, 2, 64, 100, compiled=True)[0] == "mask"
    monkeypatch.setattr(attention, "_disagreement", lambda *_: "")
    assert attention.select_kernel(cuda, *shape)[0] == attention.SDPBackend.CUDNN_ATTENTION
    with attention.preferring(attention.SDPBackend.CUDNN_ATTENTION):
        assert torch._C._get_sdp_priority_order()[0] == int(attention.SDPBackend.CUDNN_ATTENTION)
        assert torch.backends.cuda.math_sdp_enabled()
        assert not torch.backends.cuda.flash_sdp_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    assert attention.select_kernel(cuda, *shape)[0] == attention.SDPBackend.FLASH_ATTENTION
    assert attention.select_layout(cuda, *shape, compiled=False) == ("blocks", {})
    assert attention.select_layout(cpu, *shape, compiled=False) == ("stretches", {})
    assert attention.select_layout(cpu, *shape, compiled=True) == ("mask", {})


@pytest.mark.parametrize("shape", [*SHAPES, "gpt2"])
@pytest.mark.parametrize("pieces", [[1] * 12, [5, 1, 4, 2], [12]])
def test_logits_with_kept_keys_and_values_equal_those_of_the_whole(shape: Model | str, pieces: list[int]) -> None:
    torch.manual_seed(1)
    model = GPT2(40, 16, 32, 2, 2) if shape == "gpt2" else GPT(shape, 40, seed=2)
    ids = torch.randint(0, 40, (2, 12), generator=torch.Generator().manual_seed(1))
    past = model.no_past(14)
    with torch.no_grad():
        found = torch.cat([model.head(model(part, past=past)) for part in ids.split(pieces, 1)], 1)
        torch.testing.assert_close(found, model.logits(ids), atol=1e-5, rtol=1e-5)
    assert past[0].length == 12


@pytest.mark.parametrize("shape", SHAPES)
def test_documents_in_one_row_are_as_if_alone(shape: Model) -> None:
    """Rotary positions are relative, so a document masked off from its row gives what it gives alone."""
    model = GPT(shape, 40, seed=2).double()
    model.compute = torch.float64
    ids = torch.randint(0, 40, (1, 12), generator=torch.Generator().manual_seed(1))
    packed = model(ids, torch.tensor([[0] * 5 + [1] * 7]))
    torch.testing.assert_close(packed[:, 5:], model(ids[:, 5:]), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(model(ids)[:, 5:], packed[:, 5:], atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_position_sees_what_follows(shape: Model) -> None:
    model = GPT(shape, 40, seed=2)
    ids = torch.randint(0, 40, (1, 12), generator=torch.Generator().manual_seed(1))
    other = ids.clone()
    other[0, 7] = (other[0, 7] + 1) % 40
    a, b = model(ids), model(other)
    torch.testing.assert_close(a[:, :7], b[:, :7])
    assert not torch.allclose(a[:, 7:], b[:, 7:])


def test_norm_and_rotation_against_formulas() -> None:
    x = torch.randn(3, 8)
    torch.testing.assert_close(RMSNorm(8)(x), functional.rms_norm(x, (8,), eps=1e-6))
    cos, sin = rotary(0, 5, 4, 10_000.0)
    assert torch.equal(rotary(3, 5, 4, 10_000.0)[0], cos[3:])
    x = torch.randn(1, 1, 5, 6)
    turned = rotate(x, cos, sin)
    pair = torch.view_as_complex(torch.stack((x[..., :2], x[..., 2:4]), -1)) * torch.complex(cos, sin)
    torch.testing.assert_close(turned[..., :2], pair.real)
    torch.testing.assert_close(turned[..., 2:4], pair.imag)
    assert torch.equal(turned[..., 4:], x[..., 4:])


@pytest.mark.parametrize("name", ["muon", "adamw"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_small_network_learns_one_batch_by_heart(shape: Model, name: str) -> None:
    model = GPT(shape, 40, seed=2)
    optimizer = Optimizer(model, Settings(name=name, weight_decay=0.0))
    tokens = torch.randint(0, 40, (4, 33), generator=torch.Generator().manual_seed(1))
    for step in range(120):
        optimizer.zero()
        loss, _ = model.loss(tokens[:, :-1], tokens[:, 1:], scale=1 / 128)
        loss.backward()
        # A rate that falls to zero: at a constant one the last loss is wherever the weights happen to swing.
        optimizer.step(1e-2 * (1 - step / 120), optimizer.gradient_norm(), torch.tensor(1.0))
    assert float(loss.detach()) < 0.05


def test_adamw_equals_that_of_torch() -> None:
    ours, theirs = GPT(SHAPES[0], 40, seed=2), GPT(SHAPES[0], 40, seed=2)
    optimizer = Optimizer(ours, Settings(name="adamw", weight_decay=0.1, clip=1e9))
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim == 2], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim != 2], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
    tokens = torch.randint(0, 40, (4, 33), generator=torch.Generator().manual_seed(1))
    for _ in range(5):
        for model in (ours, theirs):
            model.zero_grad()
            model.loss(tokens[:, :-1], tokens[:, 1:], scale=1 / 128)[0].backward()
        optimizer.step(1e-3, optimizer.gradient_norm(), torch.tensor(1.0))
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30)])
def test_muon_directions_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape, generator=torch.Generator().manual_seed(1))))
    assert values.max() < 1.3
    assert values.median() > 0.6


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_a_skipped_step_changes_no_bit(name: str) -> None:
    model = GPT(SHAPES[0], 40, seed=2)
    optimizer = Optimizer(model, Settings(name=name))
    tokens = torch.randint(0, 40, (4, 33), generator=torch.Generator().manual_seed(1))
    for keep, poison in ((1.0, False), (0.0, True)):
        before = {k: v.clone() for k, v in {**model.state_dict(), **optimizer.state}.items()}
        optimizer.zero()
        model.loss(tokens[:, :-1], tokens[:, 1:], scale=1 / 128)[0].backward()
        if poison:
            model.head.weight.grad[0, 0] = float("nan")
        optimizer.step(1e-2, optimizer.gradient_norm(), torch.tensor(keep))
        after = {**model.state_dict(), **optimizer.state}
        assert all(torch.equal(before[k], after[k]) for k in before) == poison


def test_guard_skips_what_is_not_finite_and_what_is_far_above() -> None:
    guard = Guard(GuardSettings(sigma=6.0, window=8), torch.device("cpu"))

    def judge(loss: float, norm: float = 1.0) -> float:
        return float(guard.judge(torch.tensor(loss), torch.tensor(norm)))

    assert judge(100.0) == 1.0
    assert judge(float("nan")) == 0.0
    assert judge(1.0, float("inf")) == 0.0
    for i in range(8):
        assert judge(3.0 + 0.01 * (i % 3), 1.0 + 0.01 * (i % 2)) == 1.0
    held = guard.state["ring"].clone()
    assert judge(9.0) == 0.0
    assert judge(3.0, 50.0) == 0.0
    assert torch.equal(guard.state["ring"], held)
    assert judge(1.0) == 1.0
