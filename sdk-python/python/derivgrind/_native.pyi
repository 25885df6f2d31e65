"""The extension module; what users call is documented here and imported from `derivgrind`."""

from types import TracebackType
from typing import Any, Literal, TypeVar, overload

import numpy
from numpy.typing import ArrayLike, NDArray

#: A float, a complex number, or a scalar or an array of NumPy's.
_Number = TypeVar("_Number", float, complex, numpy.floating[Any], numpy.complexfloating[Any, Any], NDArray[Any])

__version__: str

def inputf(x: _Number, *, copy: bool = False) -> _Number:
    """Declare `x` as an input of a recording: its index goes to the file of inputs.

    Returns the marked number, a new object, since numbers are immutable; an array is marked in place and returned, or a copy
    of it. Elements are declared in the order of `x.ravel()`, of complex numbers the real part first.
    """

def outputf(x: _Number) -> _Number:
    """Declare `x` as an output of a recording: an index of its own goes to the file of outputs. Returns `x`."""

def set_dotvalue(x: _Number, dot: ArrayLike, *, copy: bool = False) -> _Number:
    """Give `x` a dot value, which is broadcast to the shape of an array, and return it as `inputf` does."""

def get_dotvalue(x: _Number) -> _Number:
    """The dot value of `x`: a number of its type, or a new array of its shape and type. Zero outside of forward mode."""

@overload
def get_index(x: float) -> int: ...
@overload
def get_index(x: Any) -> "NDArray[numpy.uint64]":
    """The index of `x` on the tape, 0 for a passive number. Complex numbers have two, along a last axis."""

def set_index(x: _Number, index: ArrayLike, *, copy: bool = False) -> _Number:
    """Give `x` an index of the tape, and return it as `inputf` does. With 0 it becomes passive."""

def new_index(index1: int, index2: int = 0, partial1: float = 1.0, partial2: float = 0.0) -> int:
    """Record an operation whose partial derivatives are known. Returns its index; 0 if both operands are passive."""

def mode() -> Literal["forward", "recording", "bit-trick", None]:
    """What Derivgrind does with this program; `None` if it does not run under Derivgrind."""

def tape_position() -> int:
    """A number that stands for what has been recorded so far; 0 outside of recording mode."""

def tape_reset(position: int) -> bool:
    """Drop what was recorded since a position; indices that were given since are invalid. False: nothing was dropped."""

def tape_reverse(y: Any, bars: "ArrayLike | None" = None) -> bool:
    """Evaluate the tape in reverse, for bar values of `y` (all 1 if none are given). False: nothing was evaluated."""

@overload
def tape_bars(x: float) -> float: ...
@overload
def tape_bars(x: Any) -> "NDArray[numpy.float64]":
    """The bar values of `x` after the last `tape_reverse`. Complex numbers have two, along a last axis."""

def tape_clear_bars() -> None:
    """Free the memory of the bar values."""

class recording_paused:
    """A context in which this thread records nothing, so that results are passive. Contexts nest."""

    def __init__(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None: ...

class Recording:
    """A tape in a file, for `derivgrind.tape.Tape`."""

    def __init__(self, directory: str) -> None: ...
    @property
    def input_indices(self) -> "NDArray[numpy.uint64]": ...
    @property
    def output_indices(self) -> "NDArray[numpy.uint64]": ...
    def evaluate(self, is_forward: bool, seeds: "NDArray[numpy.float64]") -> "NDArray[numpy.float64]": ...
    def stats(self) -> "dict[str, int]": ...
