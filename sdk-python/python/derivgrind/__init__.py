"""Derivatives of Python programs that run under Derivgrind.

Run ``derivgrind python3 program.py`` (forward mode) or ``derivgrind --record=DIR python3 program.py`` (recording):

>>> import derivgrind
>>> x = derivgrind.set_dotvalue(3.0, 1.0)     # a new float: floats are immutable
>>> y = x * x
>>> derivgrind.get_dotvalue(y)                # 6.0 under derivgrind, 0.0 natively
0.0

Functions take floats, complex numbers, scalars and arrays of NumPy's (float32, float64, longdouble and complex numbers of
these, of any rank and strides). An array is marked where it is, and returned; ``copy=True`` marks a copy. Of a number, use
what is returned: the argument stays as it was. Outside of the tool each function returns its argument, or zeros.
"""

from . import _native
from ._native import (
    get_dotvalue,
    get_index,
    inputf,
    mode,
    new_index,
    outputf,
    recording_paused,
    set_dotvalue,
    set_index,
    tape_bars,
    tape_clear_bars,
    tape_position,
    tape_reset,
    tape_reverse,
)
from .running import Finished, run

# The names of the classic interface.
dg_get_dotvalue = get_dotvalue
dg_get_index = get_index
dg_get_mode = mode
dg_inputf = inputf
dg_new_index = new_index
dg_outputf = outputf
dg_set_dotvalue = set_dotvalue
dg_set_index = set_index

__version__ = _native.__version__
__all__ = [
    "Finished",
    "get_dotvalue",
    "get_index",
    "inputf",
    "mode",
    "new_index",
    "outputf",
    "recording_paused",
    "run",
    "set_dotvalue",
    "set_index",
    "tape_bars",
    "tape_clear_bars",
    "tape_position",
    "tape_reset",
    "tape_reverse",
]
