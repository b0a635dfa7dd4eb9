"""Network, attention, loss, optimizer and guard against formulas."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from torch.nn import functional  # noqa: E402

from pilebuilder.train import attention, loss  # noqa: E402
from pilebuilder.train.config import Guard as GuardSettings  # noqa: E402
from pilebuilder.train.config import Model  # noqa: E402
from pilebuilder.train.config import Optimizer as Settings  # noqa: E402
from pilebuilder.train.guard import Guard  # noqa: E402
from pilebuilder.train.loss import IGNORE, linear_cross_entropy  # noqa: E402
from pilebuilder.train.model import GPT, RMSNorm, rotary, rotate  # noqa: E402
from pilebuilder.train.optim import Optimizer, orthogonalise  # noqa: E402

SHAPES = [
    Model(layers=2, width=32, heads=2),
    Model(layers=2, width=32, heads=2, activation="relu2"),
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
    mask = attention.document_mask(torch.tensor([[0] * 4 + [1] * 6, [2] * 10]))
    torch.testing.assert_close(attention.attend(q, k, v, mask), attention.reference(q, k, v, mask))


def test_the_first_kernel_that_agrees_with_the_formula_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention.attend
    cpu = torch.device("cpu")
    assert attention._agrees(cpu, torch.float32, 2, 8, 16)

    def wrong(q, k, v, mask=None):  # type: ignore[no-untyped-def]
        return right(q, k, v, mask) * torch.linspace(1.0, 1.1, q.shape[-2])[:, None]

    def nan_gradient(q, k, v, mask=None):  # type: ignore[no-untyped-def]
        return right(q * torch.where(q == q.max(), float("nan"), 1.0).detach(), k, v, mask)

    def missing(*_: object) -> None:
        raise RuntimeError("no kernel for this shape")

    for broken in (wrong, nan_gradient, missing):
        with monkeypatch.context() as patch:
            patch.setattr(attention, "attend", broken)
            assert not attention._agrees(cpu, torch.float32, 2, 8, 16)
    allowed: list[object] = []
    monkeypatch.setattr(attention, "_enable", allowed.append)
    monkeypatch.setattr(attention, "_agrees", lambda *_: len(allowed) == 2)
    cuda = torch.device("cuda")
    assert attention.select_backend(cuda, torch.bfloat16, 2, 64, 2048) == "flash_attention"
    assert allowed == attention.ROW[:2]
    assert attention.select_backend(cpu, torch.float32, 2, 64, 2048) == "cpu"
    monkeypatch.setattr(attention, "_agrees", lambda *_: False)
    with pytest.raises(RuntimeError, match="no attention kernel"):
        attention.select_backend(cuda, torch.bfloat16, 2, 64, 2048)


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
    cos, sin = rotary(5, 4, 10_000.0)
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
