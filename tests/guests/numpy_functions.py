"""Functions of NumPy on arrays. Each line is a type, a function's name, the number of elements, and the largest error of
the derivative."""
import ctypes
import sys

import numpy as np

library = ctypes.CDLL(sys.argv[1])


def of(array):
    return ctypes.c_void_p(array.ctypes.data), ctypes.c_long(array.nbytes)


# Close to a pole, the tangent's kernel multiplies dot values by the largest number there is, and divides them again.
DOT = 2.0**-20


def derivative(function, x):
    dots = np.full_like(x, DOT)
    address, size = of(x)
    library.set_dots(address, of(dots)[0], size)
    y = function(x)
    result = np.empty_like(y)
    address, size = of(y)
    library.get_dots(address, of(result)[0], size)
    return result / DOT


LOG_2, LOG_10 = np.log(2), np.log(10)
# Name, function, derivative, range.
FUNCTIONS = [
    ("exp", np.exp, np.exp, -20, 20),
    ("exp2", np.exp2, lambda x: np.exp2(x) * LOG_2, -20, 20),
    ("expm1", np.expm1, np.exp, -2, 5),
    ("log", np.log, lambda x: 1 / x, 0.01, 20),
    ("log2", np.log2, lambda x: 1 / x / LOG_2, 0.01, 20),
    ("log10", np.log10, lambda x: 1 / x / LOG_10, 0.01, 20),
    ("log1p", np.log1p, lambda x: 1 / (1 + x), -0.5, 3),
    ("sin", np.sin, np.cos, -30, 30),
    ("cos", np.cos, lambda x: -np.sin(x), -30, 30),
    ("tan", np.tan, lambda x: 1 / np.cos(x) ** 2, -30, 30),
    ("arcsin", np.arcsin, lambda x: 1 / np.sqrt(1 - x * x), -0.99, 0.99),
    ("arccos", np.arccos, lambda x: -1 / np.sqrt(1 - x * x), -0.99, 0.99),
    ("arctan", np.arctan, lambda x: 1 / (1 + x * x), -5, 5),
    ("sinh", np.sinh, np.cosh, -5, 5),
    ("cosh", np.cosh, np.sinh, -5, 5),
    ("tanh", np.tanh, lambda x: 1 / np.cosh(x) ** 2, -5, 5),
    ("arcsinh", np.arcsinh, lambda x: 1 / np.sqrt(1 + x * x), -5, 5),
    ("arccosh", np.arccosh, lambda x: 1 / np.sqrt(x * x - 1), 1.1, 5),
    ("arctanh", np.arctanh, lambda x: 1 / (1 - x * x), -0.9, 0.9),
    ("cbrt", np.cbrt, lambda x: 1 / (3 * np.cbrt(x) ** 2), 0.1, 30),
    ("power", lambda x: np.power(x, x.dtype.type(2.5)), lambda x: 2.5 * x**1.5, 0.1, 20),
    ("absolute", np.abs, np.sign, -5, 5),
    ("rint", lambda x: x * np.rint(x), np.rint, -5, 5),
    ("floor", lambda x: x * np.floor(x), np.floor, -5, 5),
]

for kind in (np.float64, np.float32):
    for name, function, exact, start, end in FUNCTIONS:
        for count in (1, 5, 203, 1000):
            x = (start + (end - start) * (np.arange(count) + 0.37) / count).astype(kind)
            expected = exact(x.astype(np.float64))
            error = np.abs(derivative(function, x) - expected) / np.maximum(np.abs(expected), 1e-3)
            print(kind.__name__, name, count, np.max(np.where(np.isnan(error), np.inf, error)))
