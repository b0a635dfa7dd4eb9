"""How kernels are compiled: once per machine, kept on disk, GIL-free; and the few loads that numba does not offer.

`kernel` is ``numba.njit`` with explicit signatures and the project's options. Machine code is kept under
``$PILEBUILDER_CACHE`` (default ``$XDG_CACHE_HOME/pilebuilder`` or ``~/.cache/pilebuilder``) in a folder named by the
digest of the sources a kernel was made from, so a change in a helper can never meet stale code. Where that folder
cannot be written, what it holds is copied to a private temporary folder; where there is nothing to copy, kernels are
compiled for this process alone. The first compilation on a machine says so (logger ``pilebuilder``, level INFO).
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import config, njit, types, version_info
from numba.core import cgutils, codegen, dispatcher, entrypoints, event
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.runtime import rtsys
from numba.extending import intrinsic

from pilebuilder.kernels.cache import cache_root, imported

log = logging.getLogger("pilebuilder")
PACKAGE = __name__.rpartition(".")[0]

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
INT64S = types.Array(types.int64, 1, "C", readonly=True)
UINT64S = types.Array(types.uint64, 1, "C", readonly=True)
UINT32S = types.Array(types.uint32, 1, "C", readonly=True)
UINT16S = types.Array(types.uint16, 1, "C", readonly=True)
INT64 = types.int64
UINT64 = types.uint64

# inline helper of kernels: compiled into each caller, nothing of its own to cache
device = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
# the same as part of its caller, where a call would cost as much as what is in it
inlined = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always")


def kernel(*signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for these signatures when its module is imported, or load it from the cache."""

    def compile_or_load(function: Callable[..., Any]) -> Any:
        _announce()
        settings = {"nogil": True, "error_model": "numpy", **options}
        folder = _folder(_digest(function.__module__))
        with _alone():
            if folder is None:
                return njit(list(signatures), **settings)(function)
            held = config.CACHE_DIR, _numba.FunctionCache
            config.CACHE_DIR = str(folder)
            _numba.FunctionCache = _Cache if version_info.short in KNOWN else FunctionCache
            try:
                return njit(list(signatures), cache=True, **settings)(function)
            finally:
                config.CACHE_DIR, _numba.FunctionCache = held

    return compile_or_load


_numba: Any = dispatcher
KNOWN = ((0, 67), (0, 68))
"""Versions of numba whose way of loading is known well enough to be shortened; others load in their own way."""
_NOTHING = binding.parse_assembly("").as_bitcode()


class _Library(codegen.JITCodeLibrary):  # type: ignore[misc]
    """Machine code from the cache. Its bitcode, which takes three times as long to load, waits until another kernel
    that is being compiled calls this one."""

    bitcode: bytes = b""

    def _get_module_for_linking(self) -> Any:
        if self.bitcode:
            self._shared_module, self.bitcode = binding.parse_bitcode(self.bitcode), b""
            self._codegen._engine._load_defined_symbols(self._shared_module)
        return super()._get_module_for_linking()


class _Loader(CompileResultCacheImpl):  # type: ignore[misc]
    def rebuild(self, target_context: Any, payload: Any) -> Any:
        (name, kind, data), fndesc, *rest = payload
        if kind != "object":
            return super().rebuild(target_context, payload)
        code, bitcode = data
        wrapper = fndesc.llvm_cpython_wrapper_name
        target_context.codegen()._engine._defined_symbols |= {fndesc.llvm_func_name, wrapper}
        made = super().rebuild(target_context, ((name, kind, (code, _NOTHING)), fndesc, *rest))
        made.library.__class__, made.library.bitcode = _Library, bitcode
        return made


class _Cache(FunctionCache):  # type: ignore[misc]
    """Loads without what numba knows of Python and numpy, which only compiling needs."""

    _impl_class = _Loader

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


@contextmanager
def _alone() -> Iterator[None]:
    """Without numba's extensions of other packages, which a first compilation imports whole: some take as long as all
    kernels together. They load as ever when code outside is compiled."""
    held, entrypoints._already_initialized = entrypoints._already_initialized, True
    try:
        yield
    finally:
        entrypoints._already_initialized = held


@functools.cache
def _folder(digest: str) -> Path | None:
    """Where compiled code for sources of this digest goes; None when no folder can be written."""
    wanted = cache_root() / "kernels" / digest
    if writable(wanted):
        return wanted
    try:
        private = Path(tempfile.mkdtemp(prefix="pilebuilder-kernels-"))
    except OSError:
        return None
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    if wanted.is_dir():
        shutil.copytree(wanted, private, dirs_exist_ok=True)
    return private


def writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is created if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@functools.cache
def _digest(module: str) -> str:
    """Digest of the sources that a kernel in `module` may hold code or constants of: its own and those it imports."""
    found: dict[str, bytes] = {}
    queue = [module, __name__]
    while queue:
        name = queue.pop()
        source = getattr(sys.modules.get(name), "__file__", None)
        if name in found or not source:
            continue
        found[name] = Path(source).read_bytes()
        queue += [f"{PACKAGE}.{inner}" for inner in imported(found[name])]
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(found[name])
    return digest.hexdigest()[:16]


class _Announcer(event.Listener):  # type: ignore[misc]
    """Says once per process that kernels are being compiled, since that takes seconds and happens once a machine."""

    said = False

    def on_start(self, event: Any) -> None:
        function = getattr(event.data.get("dispatcher"), "py_func", None)
        if not self.said and getattr(function, "__module__", "").startswith(PACKAGE):
            _Announcer.said = True
            log.info("compiling text kernels (first run on this machine; kept in %s)", cache_root() / "kernels")

    def on_end(self, event: Any) -> None:
        pass


@functools.cache
def _announce() -> None:
    event.register("numba:compile", _Announcer())


def _pointer(builder: Any, base: Any, index: Any, bits: int) -> Any:
    """Address of element `index`, of `bits` bits each, of the memory at `base`."""
    pointer = builder.inttoptr(base, ir.IntType(bits).as_pointer())
    return builder.gep(pointer, [index])


def _reader(bits: int, result: Any, *, element: int = 0, doc: str) -> Any:
    """An intrinsic that reads `bits` bits at an index counted in elements of `element` bits (default: `bits`)."""

    def read(typing: Any, base: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = _pointer(builder, args[0], args[1], element or bits)
            value = builder.load(builder.bitcast(pointer, ir.IntType(bits).as_pointer()))
            value.align = (element or bits) // 8
            if element and sys.byteorder != "little":
                value = builder.bswap(value)
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        return result(types.int64, types.int64), generate

    read.__doc__ = doc
    return intrinsic(read)


def _writer(bits: int, kind: Any, *, element: int = 0, doc: str) -> Any:
    def write(typing: Any, base: Any, index: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = _pointer(builder, args[0], args[1], element or bits)
            number = args[2] if bits == 64 else builder.trunc(args[2], ir.IntType(bits))
            if element and sys.byteorder != "little":
                number = builder.bswap(number)
            builder.store(number, builder.bitcast(pointer, ir.IntType(bits).as_pointer())).align = (
                element or bits
            ) // 8
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), generate

    write.__doc__ = doc
    return intrinsic(write)


# Helpers of kernels take the address of an array's first element instead of the array: numba counts references to
# every array that it passes to a function, which costs more than these helpers do. A kernel itself takes arrays, and
# so holds them for as long as it runs; one that it makes it must use once more at the end.
byte = _reader(8, types.int64, doc="Byte `index` of the memory at `base`, as int64.")
load8 = _reader(64, types.uint64, element=8, doc="Eight bytes from byte `index`, as one little-endian uint64.")
u16 = _reader(16, types.int64, doc="Element `index` of a uint16 array, as int64.")
u32 = _reader(32, types.int64, doc="Element `index` of a uint32 array, as int64.")
u64 = _reader(64, types.uint64, doc="Element `index` of a uint64 array.")
i64 = _reader(64, types.int64, doc="Element `index` of an int64 array.")
set_byte = _writer(8, types.int64, doc="Set byte `index`.")
set_u32 = _writer(32, types.int64, doc="Set element `index` of a uint32 or int32 array.")
set_i64 = _writer(64, types.int64, doc="Set element `index` of an int64 array.")
set_u64 = _writer(64, types.uint64, doc="Set element `index` of a uint64 array.")
store8 = _writer(64, types.uint64, element=8, doc="Write eight little-endian bytes from byte `index` on.")


@intrinsic
def address(typing: Any, array: Any) -> Any:
    """Address of the first element of an array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), generate


@intrinsic
def trailing_zeros(typing: Any, value: Any) -> Any:
    """Number of zero bits below the lowest one bit of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], cgutils.false_bit)

    return types.int64(types.uint64), generate


@intrinsic
def leading_zeros(typing: Any, value: Any) -> Any:
    """Number of zero bits above the highest one bit of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], cgutils.false_bit)

    return types.int64(types.uint64), generate


@intrinsic
def ones(typing: Any, value: Any) -> Any:
    """Number of one bits of a uint64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate
