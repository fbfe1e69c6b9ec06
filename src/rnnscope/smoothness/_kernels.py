"""Costs at many parameter points by a kernel that is written for one network, compiled once and kept."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from rnnscope.smoothness._codegen import NotWrittenOut, Number, Recipe, Writer
from rnnscope.systems import RecurrentSystem, System
from rnnscope.systems.system import Weights

WIDEST = 128  # bytes: points are computed together, at most as many as this holds numbers
_COMPILERS = ("c++", "g++", "clang++")
_FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_TYPES = {torch.float32: "float", torch.float64: "double"}


class NoKernel(Exception):  # noqa: N818
    """A kernel cannot be had; the message says why, as the end of a sentence."""


class Kernel:
    """V at points whose weights are given, as one call that holds no lock of Python's.

    Args:
        library: from ``_compiled``.
        recipe: the step that it computes.
        dtype: of all arrays.

    """

    def __init__(self, library: Path, recipe: Recipe, dtype: torch.dtype):
        self.recipe, self.dtype = recipe, dtype
        self.lanes = WIDEST // dtype.itemsize
        self.tried = False
        self._run = ctypes.CDLL(str(library)).costs
        self._run.argtypes = [ctypes.c_void_p] * 6 + [ctypes.c_int64] * 3
        self._run.restype = None

    def costs(self, weights: Tensor, state: Tensor, inputs: Tensor, targets: Tensor, counted: Tensor) -> Tensor:
        """Sums of losses over sequences and steps that count, (point,) float64.

        Args:
            weights: (number, point), a whole multiple of ``lanes`` points.
            state: (sequence, state_size).
            inputs: (time, sequence, channel).
            targets: (time, sequence, output), for cross-entropy one where the class is and else zero.
            counted: (time,) bool.

        """
        found = torch.zeros(weights.shape[1], dtype=torch.float64)
        arrays = [x.contiguous() for x in (weights, state, inputs, targets, counted)]
        self._run(*(x.data_ptr() for x in (*arrays, found)), *inputs.shape[:2], weights.shape[1])
        return found

    def weights_of(self, weights: Weights) -> Tensor:
        """Materialised weights with a leading dimension of points as ``costs`` takes them, the last point repeated."""
        leaves = pytree.tree_leaves(weights)
        found = self._empty(len(leaves[0]))
        taken = 0
        for leaf in leaves:
            rows = leaf.reshape(len(leaf), -1).mT
            found[taken : taken + len(rows), : len(leaf)] = rows
            taken += len(rows)
        found[:, len(leaves[0]) :] = found[:, len(leaves[0]) - 1, None]
        return found

    def combined(self, corners: Tensor, coefficients: Tensor) -> Tensor:
        """The same where weights are affine: corner 0, plus coefficients (point, k) times the k others minus it."""
        found = self._empty(len(coefficients))
        edges = corners[:, 1:] - corners[:, :1]
        last = coefficients[-1:].expand(found.shape[1] - len(coefficients), -1)
        return torch.addmm(corners[:, :1], edges, torch.cat([coefficients, last]).to(edges).mT, out=found)

    def _empty(self, n_points: int) -> Tensor:
        padded = -(-n_points // self.lanes) * self.lanes
        return torch.empty(self.recipe.n_weights, padded, dtype=self.dtype)


def kernel_for(system: System, loss: str, *, held: bool) -> Kernel:
    """The kernel for a network and a named loss, ``held`` for an input that does not change; made once.

    Raises:
        NoKernel: there is no compiler, or the network is none that is written out.

    """
    if not isinstance(system, RecurrentSystem):
        raise NoKernel("it is for recurrent layers of a few units")
    if system.device.type != "cpu" or system.dtype not in _TYPES:
        raise NoKernel(f"it is for float32 and float64 on the processor, not {system.dtype} on {system.device}")
    surroundings = tuple(os.environ.get(name) for name in ("CXX", "PATH", "HOME", "XDG_CACHE_HOME"))
    found = _known(_Key(system, system.signature(), system.dtype, loss, held, surroundings))
    if isinstance(found, str):
        raise NoKernel(found)
    return found


@dataclass(frozen=True)
class _Key:
    """What a kernel depends on: of the system its signature, which ``system`` is not compared by."""

    system: RecurrentSystem = field(compare=False)
    signature: str
    dtype: torch.dtype
    loss: str
    held: bool
    surroundings: tuple[str | None, ...]


@functools.lru_cache(maxsize=64)
def _known(key: _Key) -> Kernel | str:
    try:
        recipe = Recipe(key.system)
        source = _source(recipe, key.system, key.loss, held=key.held)
        return Kernel(_compiled(source), recipe, key.system.dtype)
    except NotWrittenOut as reason:
        return f"its step holds {reason}, which the kernel does not have"
    except NoKernel as reason:
        return str(reason)


def _compiled(source: str) -> Path:
    """The shared library of a source, compiled where it is not in the cache yet."""
    compiler = _compiler()
    target = _target(compiler)
    name = hashlib.sha256(f"{source}|{compiler}|{target}|{_FLAGS}".encode()).hexdigest()[:24]
    library = _cache() / f"{name}.so"
    if library.exists():
        return library
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        text, made = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
        text.write_text(source)
        native = ["-march=native"] if target else []
        done = _called([compiler, *_FLAGS, *native, str(text), "-o", str(made)])
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
            raise NoKernel(f"the C++ compiler {compiler} failed: {said}")
        made.replace(library)
    return library


def _compiler() -> str:
    names = (os.environ["CXX"],) if os.environ.get("CXX") else _COMPILERS
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise NoKernel(f"there is no C++ compiler ({', '.join(names)}) on the PATH; install one, or name it in CXX")
    return found


@functools.cache
def _target(compiler: str) -> str:
    """What the compiler says of itself and of this processor; empty where it does not know the native one."""
    done = _called([compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull])
    return "" if done.returncode else done.stdout


def _called(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise NoKernel(f"the C++ compiler could not be started: {error}") from None


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "rnnscope" / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return _temporary()


@functools.cache
def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="rnnscope-kernels-"))


def _source(recipe: Recipe, system: System, loss: str, *, held: bool) -> str:
    writer = Writer()
    weights = [f"w{k}" for k in range(recipe.n_weights)]
    drive = recipe.drive(writer, [f"u{k}" for k in range(system.input_size)], weights)
    drive = [writer.whole(number) for number in drive]
    n_before = len(writer.lines)
    state, output = recipe.advance(writer, [f"x{k}" for k in range(system.state_size)], drive, weights)
    new = [writer.whole(number) for number in state]
    n_step = len(writer.lines)
    total = _LOSSES[loss](writer, [writer.whole(number) for number in output])
    driven, stepped, lost = writer.lines[:n_before], writer.lines[n_before:n_step], writer.lines[n_step:]
    input_lines = [f"const V u{k} = splat(inputs[k * {system.input_size} + {k}]);" for k in range(system.input_size)]
    number = _TYPES[system.dtype]
    places = {
        "number": number,
        "whole": "int32_t" if number == "float" else "int64_t",
        "functions": _FUNCTIONS[system.dtype],
        "n_state": system.state_size,
        "n_output": system.output_size,
        "weights": [f"const V w{k} = load(weights + {k} * n_points + p);" for k in range(recipe.n_weights)],
        "start": [f"V x{k} = splat(state[s * {system.state_size} + {k}]);" for k in range(system.state_size)],
        "held": [line.replace("[k *", "[s *") for line in input_lines] + driven if held else [],
        "driven": [] if held else input_lines + driven,
        "step": stepped,
        "loss": [*lost, f"const V lost = splat({_number(total)});"],
        "new": [f"x{k} = splat({_number(value)});" for k, value in enumerate(new)],
    }
    return _TEMPLATE.format(**{k: "\n".join(v) if isinstance(v, list) else v for k, v in places.items()})


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"F({float(value)!r})"


def _squared_error(writer: Writer, output: list[str | float]) -> str | float:
    total: Number = 0.0
    for k, y in enumerate(output):
        left = writer.line(f"splat({_number(y)}) - target[{k}]")
        total = writer.add(total, writer.multiply(left, left))
    return writer.whole(writer.multiply(total, 1 / len(output)))


def _cross_entropy(writer: Writer, output: list[str | float]) -> str | float:
    outputs = [writer.line(f"splat({_number(y)})") for y in output]
    highest = outputs[0]
    for y in outputs[1:]:
        highest = writer.line(f"greater({highest}, {y})")
    total: Number = 0.0
    chosen: Number = 0.0
    for k, y in enumerate(outputs):
        total = writer.add(total, writer.line(f"exponential({y} - {highest})"))
        chosen = writer.add(chosen, writer.line(f"{y} * target[{k}]"))
    logarithm = writer.line(f"{highest} + logarithm({writer.whole(total)})")
    return writer.whole(writer.add(logarithm, writer.multiply(-1, chosen)))


_LOSSES: dict[str, Callable[[Writer, list[str | float]], str | float]] = {
    "squared-error": _squared_error,
    "cross-entropy": _cross_entropy,
}

_TEMPLATE = """\
#include <cmath>
#include <cstdint>
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef {number} F;
typedef F X __attribute__((vector_size(BYTES)));
typedef F Unaligned __attribute__((vector_size(BYTES), aligned(sizeof(F)), may_alias));
typedef {whole} I __attribute__((vector_size(BYTES)));
constexpr int LANES = BYTES / sizeof(F);
// two vectors side by side: a step is a chain in which each operation waits for the one before
struct V {{ X a, b; }};
#define OP(o) \\
static inline V operator o(V x, V y) {{ return {{x.a o y.a, x.b o y.b}}; }} \\
static inline V operator o(V x, F y) {{ return {{x.a o y, x.b o y}}; }} \\
static inline V operator o(F x, V y) {{ return {{x o y.a, x o y.b}}; }}
OP(+) OP(-) OP(*) OP(/)
#define LIFT(f) static inline V f(V x) {{ return {{f(x.a), f(x.b)}}; }}

static inline X one(const F* from) {{ return *reinterpret_cast<const Unaligned*>(from); }}
static inline V load(const F* from) {{ return {{one(from), one(from + LANES)}}; }}
static inline V splat(V x) {{ return x; }}
static inline X spread(F x) {{ return X{{}} + x; }}
static inline V splat(F x) {{ return {{spread(x), spread(x)}}; }}
// what is not a number stays so: every comparison with it is false
static inline X greater(X x, X least) {{ return x < least ? least : x; }}
static inline X smaller(X x, X most) {{ return x > most ? most : x; }}
static inline X relu(X x) {{ return greater(x, spread(F(0))); }}
static inline X logarithm(X x) {{ for (int k = 0; k < LANES; ++k) x[k] = std::log(x[k]); return x; }}
{functions}
static inline X one_and_exp_of_minus(X x) {{ return F(1) + exponential(-x); }}
LIFT(relu) LIFT(logarithm) LIFT(exponential) LIFT(bounded) LIFT(tanh_above) LIFT(tanh_below) LIFT(one_and_exp_of_minus)
static inline V greater(V x, V least) {{ return {{greater(x.a, least.a), greater(x.b, least.b)}}; }}

extern "C" void costs(const F* weights, const F* state, const F* inputs, const F* targets, const unsigned char* counted,
                      double* found, int64_t n_steps, int64_t n_sequences, int64_t n_points) {{
for (int64_t p = 0; p < n_points; p += 2 * LANES) {{
{weights}
double total[2 * LANES] = {{}};
for (int64_t s = 0; s < n_sequences; ++s) {{
{start}
{held}
for (int64_t t = 0; t < n_steps; ++t) {{
const int64_t k = t * n_sequences + s;
{driven}
{step}
if (counted[t]) {{
const F* target = targets + k * {n_output};
{loss}
for (int l = 0; l < LANES; ++l) {{ total[l] += lost.a[l]; total[LANES + l] += lost.b[l]; }}
}}
{new}
}}
}}
for (int l = 0; l < 2 * LANES; ++l) found[p + l] = total[l];
}}
}}
"""

# exp: reduction by ln 2 in two parts, then the Taylor polynomial; between limits that leave room for three factors.
# tanh, float32: rational approximation fitted on [0, 9], relative error 2e-8 before rounding.
# tanh, float64: Cephes below 0.625 (Moshier, Methods and Programs for Mathematical Functions, 1989), beyond by exp.
_FUNCTIONS = {
    torch.float32: """\
static inline X exponential(X x) {
    x = greater(smaller(x, spread(F(30))), spread(F(-30)));
    const X shifted = x * F(1.44269504) + F(12582912);
    const X n = shifted - F(12582912);
    const X r = (x - n * F(0.693359375)) + n * F(2.12194440e-4);
    X sum = r * F(1.0 / 720) + F(1.0 / 120);
    sum = sum * r + F(1.0 / 24);
    sum = sum * r + F(1.0 / 6);
    sum = sum * r + F(0.5);
    sum = sum * r + F(1);
    sum = sum * r + F(1);
    return (X)((I)sum + ((I)shifted << 23));
}
static inline X bounded(X x) { return greater(smaller(x, spread(F(9))), spread(F(-9))); }
static inline X tanh_above(X x) {
    const X q = x * x;
    X sum = q * F(1.33555149e-8) + F(2.06097666e-5);
    sum = sum * q + F(3.49563244e-3);
    sum = sum * q + F(0.133810639);
    sum = sum * q + F(1);
    return sum * x;
}
static inline X tanh_below(X x) {
    const X q = x * x;
    X sum = q * F(7.77692776e-7) + F(3.28570546e-4);
    sum = sum * q + F(2.58771535e-2);
    sum = sum * q + F(0.467143804);
    return sum * q + F(1);
}
""",
    torch.float64: """\
static inline X exponential(X x) {
    x = greater(smaller(x, spread(F(200))), spread(F(-200)));
    const X shifted = x * F(1.4426950408889634) + F(6755399441055744.0);
    const X n = shifted - F(6755399441055744.0);
    const X r = (x - n * F(0.693147180369123816490)) - n * F(1.90821492927058770002e-10);
    X sum = r * F(1.0 / 6227020800.0) + F(1.0 / 479001600.0);
    sum = sum * r + F(1.0 / 39916800.0);
    sum = sum * r + F(1.0 / 3628800.0);
    sum = sum * r + F(1.0 / 362880.0);
    sum = sum * r + F(1.0 / 40320.0);
    sum = sum * r + F(1.0 / 5040.0);
    sum = sum * r + F(1.0 / 720.0);
    sum = sum * r + F(1.0 / 120.0);
    sum = sum * r + F(1.0 / 24.0);
    sum = sum * r + F(1.0 / 6.0);
    sum = sum * r + F(0.5);
    sum = sum * r + F(1);
    sum = sum * r + F(1);
    return (X)((I)sum + ((I)shifted << 52));
}
static inline X bounded(X x) { return greater(smaller(x, spread(F(20))), spread(F(-20))); }
static inline X size_of(X x) { return x < F(0) ? -x : x; }
static inline X tanh_above(X x) {
    const X q = x * x;
    X sum = q * F(-9.64399179425052238628e-1) + F(-9.92877231001918586564e1);
    sum = sum * q + F(-1.61468768441708447952e3);
    const X e = exponential(size_of(x) * F(2)) - F(1);
    return size_of(x) < F(0.625) ? x * (sum * q + ((q + F(1.12811678491632931402e2)) * q
        + F(2.23548839060100448583e3)) * q + F(4.84406305325125486048e3)) : (x < F(0) ? -e : e);
}
static inline X tanh_below(X x) {
    const X q = x * x;
    const X small = ((q + F(1.12811678491632931402e2)) * q + F(2.23548839060100448583e3)) * q
        + F(4.84406305325125486048e3);
    return size_of(x) < F(0.625) ? small : exponential(size_of(x) * F(2)) + F(1);
}
""",
}
