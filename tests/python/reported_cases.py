"""What is not differentiated, and reported when an active number meets it. Each of these runs in a process of its own."""

import array
import decimal
import fractions
import functools
import json
import math
import pickle
import statistics
import struct

from cases import case

TEXT = "Active values were converted to text"
DIGITS = "CVTTSD2SI"
text = functools.partial(case, group="conversion to text", counted=TEXT)
digits = functools.partial(case, group="conversion to integers", counted=DIGITS)
bits = functools.partial(case, group="bits as integers")
X = [0.75, 1.375, 2.3125, 0.4375]


@text("str, repr, float of a string", X)
def _(x):
    return [float(repr(v)) for v in x]


@text("format, f-strings, %", X)
def _(x):
    return [float(f"{x[0]:.6f}"), float("%.3g" % x[1]), float(format(x[2], "e"))]


@text("round to decimal places", X)
def _(x):
    return [round(v, 2) for v in x]


@text("json", X)
def _(x):
    return json.loads(json.dumps({"x": x}))["x"]


@text("pickle, protocol 0", X)
def _(x):
    return pickle.loads(pickle.dumps(x, 0))


@digits("float.hex", X)
def _(x):
    return float.fromhex(x[0].hex())


@digits("float.as_integer_ratio", X)
def _(x):
    numerator, denominator = x[0].as_integer_ratio()
    return numerator / denominator


@digits("fractions.Fraction", X)
def _(x):
    return float(fractions.Fraction(x[0]) * 3)


@digits("decimal.Decimal", X)
def _(x):
    return float(decimal.Decimal(x[0]) * 3)


@digits("statistics.mean, variance, stdev, harmonic_mean", X)
def _(x):
    return [statistics.mean(x), statistics.variance(x), statistics.stdev(x), statistics.harmonic_mean(x)]


@digits("int", X)
def _(x):
    return [int(x[2]) * 0.5, float(math.trunc(x[1]))]


@digits("struct of binary16", X)
def _(x):
    return struct.unpack("<e", struct.pack("<e", x[0]))


@bits("array.array.byteswap, when it is recorded", X, counted="OR r/m64, r64")
def _(x):
    numbers = array.array("d", x)
    numbers.byteswap()
    numbers.byteswap()
    return list(numbers)


@bits("int.from_bytes of a float's bytes", X, counted="_PyLong_Frexp")
def _(x):
    return float(int.from_bytes(struct.pack("<d", x[1]), "little"))


@bits("struct of a float's bits as an integer, when it is recorded", X, counted="_PyLong_AsByteArray")
def _(x):
    (integer,) = struct.unpack("<q", struct.pack("<d", x[0]))
    return struct.unpack("<d", struct.pack("<q", integer))
