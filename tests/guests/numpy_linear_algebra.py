"""Products, linear systems and eigenvalues of NumPy, which calls BLAS and LAPACK, with their analytic derivatives."""
import ctypes
import sys

import numpy as np

library = ctypes.CDLL(sys.argv[1])
random = np.random.default_rng(5)


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


def active(shape, symmetric=False):
    """An active array, its copy without derivatives, and its dot values."""
    numbers, dots = random.standard_normal((2, *shape))
    if symmetric:
        numbers, dots = numbers + numbers.T, dots + dots.T
    array = numbers.copy()
    library.activate_array(address(array), address(dots), ctypes.c_long(array.size))
    return array, numbers, dots


def check(name, result, expected):
    result, expected = np.ascontiguousarray(result), np.ascontiguousarray(expected)
    library.check_array(name.encode(), address(result), address(expected), ctypes.c_long(result.size))


for size in (3, 9, 40):
    a, a0, da = active((size, size))
    b, b0, db = active((size, size))
    v, v0, dv = active((size,))
    check("product_of_matrices", np.dot(a, b), da @ b0 + a0 @ db)
    check("product_with_transpose", np.dot(a, a.T), da @ a0.T + a0 @ da.T)
    check("product_with_vector", np.dot(a, v), da @ v0 + a0 @ dv)
    check("inner_product", np.dot(v, v), np.array(2 * dv @ v0))
    inverse = np.linalg.inv(a0)
    x = inverse @ v0
    check("linear_system", np.linalg.solve(a, v), inverse @ (dv - da @ x))
    s, s0, ds = active((size, size), symmetric=True)
    values, vectors = np.linalg.eigh(s0)
    found, found_vectors = np.linalg.eigh(s)
    check("eigenvalues", found, np.sum(vectors * (ds @ vectors), axis=0))
    # A projector does not depend on the sign of the eigenvector.
    first = vectors[:, :1]
    gaps = np.divide(1, values[0] - values, where=np.arange(size) > 0, out=np.zeros(size))
    change = vectors @ (gaps[:, None] * (vectors.T @ ds @ first))
    found_first = found_vectors[:, :1]
    check("eigenvector", found_first @ found_first.T, change @ first.T + first @ change.T)
