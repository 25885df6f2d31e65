"""NumPy: arithmetic, reductions, indexing, products, linear algebra, transforms."""

import functools

import numpy as np

from cases import case, points, square

elementwise = functools.partial(case, group="NumPy ufuncs", is_array=True)
reductions = functools.partial(case, group="NumPy reductions", is_array=True)
shapes = functools.partial(case, group="NumPy indexing and shapes", is_array=True)
products = functools.partial(case, group="NumPy products", is_array=True)
algebra = functools.partial(case, group="numpy.linalg", is_array=True)
transforms = functools.partial(case, group="NumPy transforms", is_array=True)
BINARY32 = {"tolerance": 2e-4, "agreement": 1e-6}


X = points(13)
LONG = points(211)
MATRIX = points(16)


def symmetric(x):
    matrix = x.reshape(4, 4)
    return matrix + matrix.T + np.diag([1.0, 4.0, 9.0, 16.0])


@elementwise("+ - * / ** % // of arrays and numbers", X, step=1 / 1024)
def _(x):
    return [x + 2, 3 - x, x * x[::-1], x / (x + 1), 1 / x, x**2, x**2.5, x ** x[::-1], 2**x, x**-1, -x, x % 0.7, (x // 0.7) * x]


@elementwise("+= -= *= /= and out=", X, step=1 / 1024)
def _(x):
    y = x.copy()
    y += x
    y *= x[::-1]
    y -= 1
    y /= 3
    np.multiply(y, x, out=y)
    np.add(y, 1, out=y, where=x > 1)
    return y


@elementwise("exp, exp2, expm1, log, log2, log10, log1p, sqrt, cbrt, square, reciprocal", LONG, step=1 / 512)
def _(x):
    functions = [np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sqrt, np.cbrt, np.square, np.reciprocal]
    return [function(x) for function in functions]


@elementwise("sin, cos, tan, sinh, cosh, tanh, arctan, arcsinh", points(211, 0.1, 1.4), step=1 / 512)
def _(x):
    functions = [np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.arctan, np.arcsinh]
    return [function(x) for function in functions]


@elementwise("arcsin, arccos, arctanh, arccosh, sinc, i0", points(211, 0.1, 0.8), step=1 / 512)
def _(x):
    return [np.arcsin(x), np.arccos(x), np.arctanh(x), np.arccosh(x + 1), np.sinc(x), np.i0(x)]


@elementwise("power, float_power, arctan2, hypot, logaddexp, logaddexp2", LONG, step=1 / 512)
def _(x):
    y = x[::-1] * 1.25
    return [np.power(x, y), np.float_power(x, y), np.arctan2(x, y), np.hypot(x, y), np.logaddexp(x, y), np.logaddexp2(x, y)]


@elementwise("ldexp, frexp", X, step=1 / 2048)
def _(x):
    mantissa, exponent = np.frexp(x)
    return [np.ldexp(x, 3), mantissa * x, np.ldexp(mantissa, exponent)]


@elementwise("abs, sign, maximum, minimum, fmax, fmin, clip, copysign, heaviside", X, step=1 / 1024)
def _(x):
    y = x - 1.3
    compared = [np.maximum(x, 1.3), np.minimum(x, x[::-1] * 1.1), np.fmax(x, 1.3), np.fmin(x, x[::-1] * 1.1)]
    return [np.abs(y), np.sign(y) * x, *compared, np.clip(x, 0.6, 1.9), np.copysign(x, -y), np.heaviside(y, 0.5) * x]


@elementwise("floor, ceil, rint, trunc, round, fmod, remainder, modf, divmod", X, step=1 / 2048)
def _(x):
    fraction, whole = np.modf(x)
    rounded = [np.floor(x) * x, np.ceil(x) * x, np.rint(x) * x, np.trunc(x) * x, np.round(x) * x]
    return [*rounded, np.fmod(x, 0.7), np.remainder(-x, 0.7), fraction, whole * x, np.divmod(x, 0.7)[1]]


@elementwise("degrees, radians, deg2rad, nan_to_num, nextafter", X)
def _(x):
    return [np.degrees(x), np.radians(x), np.deg2rad(x), np.nan_to_num(x), np.nextafter(x, 9)]


@elementwise("comparisons, where, select, piecewise, choose", X, step=1 / 1024)
def _(x):
    chosen = [np.where(x > 1.2, x * x, -x), np.select([x < 0.8, x < 1.6], [x, x * 2], x * 3)]
    return [*chosen, np.piecewise(x, [x < 1.2], [lambda v: v**2, lambda v: v**3]), np.choose(x > 1.2, [x, x * 2]), x[x > 1.2]]


@elementwise("complex numbers", X)
def _(x):
    z = x + 1j * x[::-1]
    functions = [np.exp, np.log, np.sqrt, np.sin, np.cos, np.tanh, np.arctan, np.conj, np.abs, np.angle, np.square, np.reciprocal]
    return [z * z[::-1], z / (z + 1), z**2, z**1.5, (z * 2j).real, z.imag, *[function(z) for function in functions]]


@elementwise("binary32", X, **BINARY32, step=1 / 32)
def _(x):
    y = x.astype(np.float32)
    return [y * y + 1 / y, np.sqrt(y), np.exp(y), np.log(y), np.sin(y), y.sum(), y @ y, np.tanh(y)]


@elementwise("longdouble", X)
def _(x):
    y = x.astype(np.longdouble)
    return [y * y + 1 / y, np.sqrt(y), np.exp(y), np.sin(y), y.sum(), np.arctan2(y, 2), y @ y]


@elementwise("frompyfunc, vectorize", X)
def _(x):
    return [np.vectorize(lambda v: v * v + 1)(x), np.frompyfunc(lambda v: v * 3, 1, 1)(x).astype(float)]


@reductions("sum (pairwise), mean, var, std, prod", LONG)
def _(x):
    return [x.sum(), x[::3].sum(), x.mean(), x.var(), x.std(ddof=1), x[:20].prod(), np.add.reduce(x * x), np.sum(x, where=np.arange(211) % 3 > 0)]


@reductions("sums along axes", points(1000))
def _(x):
    cube = x.reshape(10, 10, 10)
    return [cube.sum(axis=0), cube.sum(axis=1), cube.sum(axis=2), cube.mean(axis=(0, 2)), cube.T.sum(axis=0), np.average(x, weights=x)]


@reductions("max, min, ptp, median, percentile, quantile", X, step=1 / 2048)
def _(x):
    return [x.max(), x.min(), np.ptp(x), np.median(x), np.percentile(x, 30), np.quantile(x, [0.1, 0.85]), x[np.argmax(x)]]


@reductions("cumsum, cumprod, diff, gradient, trapezoid, ediff1d", X)
def _(x):
    trapezoid = getattr(np, "trapezoid", None) or np.trapz
    return [x.cumsum(), x.cumprod(), np.diff(x, 2), np.gradient(x), trapezoid(x, dx=0.1), np.ediff1d(x), np.add.accumulate(x)]


@reductions("cov, corrcoef, norm", X)
def _(x):
    return [np.cov(x[:6], x[6:12]), np.corrcoef(x[:6], x[6:12]), np.linalg.norm(x), np.linalg.norm(x, 1), np.linalg.norm(x, 3)]


@reductions("add.at, add.reduceat, bincount, histogram with weights", X, step=1 / 2048)
def _(x):
    places = np.array([0, 2, 2, 1, 0, 3, 3, 3, 1, 0, 2, 1, 3])
    total = np.zeros(4)
    np.add.at(total, places, x)
    histogram = np.histogram(np.linspace(0, 1, 13), bins=4, weights=x)[0]
    return [total, np.add.reduceat(x, [0, 4, 7]), np.bincount(places, weights=x), histogram]


@shapes("broadcasting", X)
def _(x):
    return [x[:, None] * x[None, :4], np.broadcast_to(x[0], 3) * x[:3], np.outer(x[:3], x[3:5]), x.reshape(13, 1) - x[:2]]


@shapes("slices, fancy indices, masks, take, put", X, step=1 / 2048)
def _(x):
    y = x.copy()
    y[[1, 3, 5]] = x[[5, 3, 1]] * 2
    y[::4] += 1
    y[y > 2] *= 0.5
    np.put(y, [2, 7], x[:2])
    matrix = x[:12].reshape(3, 4)
    return [y, x[-3:], x[np.array([2, 2, 0])], matrix[[0, 2], [1, 3]], matrix[:, ::-2], np.take(x, [4, 1]), matrix[1, ..., None]]


@shapes("reshape, transpose, concatenate, stack, split, tile, repeat, roll, flip, pad", X)
def _(x):
    matrix = x[:12].reshape(3, 4)
    joined = [np.concatenate([x, x * 2]), np.stack([x, x[::-1]], axis=1), np.vstack([matrix, matrix]), np.hstack([x, x])]
    repeated = [np.tile(x, 2), np.repeat(x, 3), np.roll(x, 2), np.flip(matrix, 0), np.pad(x, 2), np.rot90(matrix)]
    return [matrix.T * 2, np.swapaxes(matrix, 0, 1), *joined, *repeated, *np.split(x[:12], 3), np.ravel(matrix, order="F")]


@shapes("sort, argsort, partition, unique, searchsorted, lexsort", LONG, step=1 / 4096, tolerance=1e-10)
def _(x):
    y = x * x
    found = x * np.searchsorted(np.sort(x), 1.1)
    return [np.sort(y), y[np.argsort(y)], np.sort(np.partition(y, 50)[:50]), np.unique(y), found, np.sort(y, kind="stable"), np.sort(x.astype(complex))]


@shapes("astype, tolist, tobytes, frombuffer, copies, pickle, save", X)
def _(x):
    import io
    import pickle

    file = io.BytesIO()
    np.save(file, x)
    file.seek(0)
    loaded = [np.load(file), pickle.loads(pickle.dumps(x)), np.frombuffer(x.tobytes()), np.array(x.tolist()), x.copy(order="F")]
    return [*loaded, x.astype(complex).real, np.asfortranarray(x[:12].reshape(3, 4)), float(x[0]) * x[1].item(), x.byteswap().byteswap()]


@shapes("structured arrays, views, memoryview, nditer, fromiter", X)
def _(x):
    table = np.zeros(13, dtype=[("a", "i4"), ("b", "f8")])
    table["b"] = x * 2
    pairs = x[:12].view([("p", "f8"), ("q", "f8")])
    iterated = [float(v) * 2 for v in np.nditer(x)]
    return [table["b"], pairs["q"], list(memoryview(x)), iterated, np.fromiter((v * v for v in x), float)]


@products("dot, @, matmul, vdot, inner, kron, cross, tensordot", points(48))
def _(x):
    a, b = x[:24].reshape(4, 6), x[24:].reshape(6, 4)
    more = [np.kron(a[:2, :2], b[:2, :2]), np.cross(x[:3], x[3:6]), np.tensordot(a, b, axes=([1], [0])), np.trace(a @ b)]
    return [a @ b, b.T @ a.T, a @ b[:, 0], np.dot(x, x), np.vdot(x, x[::-1]), np.inner(a, a), *more, np.linalg.matrix_power(a @ b, 3)]


@products("matmul of larger matrices", points(1600), tolerance=1e-10)
def _(x):
    matrix = x.reshape(40, 40)
    stack = x[:108].reshape(3, 6, 6)
    return [matrix @ matrix, matrix @ matrix.T, matrix.T @ matrix[:, 0], stack @ stack]


@products("matmul of binary32 and complex matrices", points(128), **BINARY32, step=1 / 32)
def _(x):
    matrix = x[:64].reshape(8, 8)
    single = matrix.astype(np.float32)
    turned = matrix + 1j * x[64:].reshape(8, 8)
    return [single @ single, turned @ turned, turned.conj().T @ turned[0]]


@products("einsum", points(48))
def _(x):
    a, b = x[:24].reshape(4, 6), x[24:].reshape(6, 4)
    plain = [np.einsum("ij,jk->ik", a, b), np.einsum("ij->j", a), np.einsum("ii", a[:, :4]), np.einsum("ij,ij", a, b.T)]
    return [*plain, np.einsum("ij,jk,kl->il", a, b, a, optimize=True), np.einsum("i,j->ij", x[:5], x[5:8])]


@algebra("solve, inv, det, slogdet", MATRIX, step=1 / 512)
def _(x):
    a = square(x)
    return [np.linalg.solve(a, x[:4]), np.linalg.solve(a, a.T), np.linalg.inv(a), np.linalg.det(a) / 100, np.linalg.slogdet(a)[1]]


@algebra("solve of a larger system", points(900), step=1 / 64, tolerance=1e-10)
def _(x):
    return np.linalg.solve(x.reshape(30, 30) + 40 * np.eye(30), x[:30])


@algebra("eigh, eigvalsh", MATRIX, step=1 / 512)
def _(x):
    values, vectors = np.linalg.eigh(symmetric(x))
    return [values, np.linalg.eigvalsh(symmetric(x)), vectors * np.sign(vectors[0])]


@algebra("eig, eigvals", MATRIX, step=1 / 512, tolerance=1e-10)
def _(x):
    values = np.linalg.eigvals(x.reshape(4, 4) + np.diag([1.0, 4.0, 9.0, 16.0]))
    return np.sort(values.real)


@algebra("svd, pinv", MATRIX, step=1 / 1024)
def _(x):
    a = x.reshape(4, 4) + np.diag([1.0, 4.0, 9.0, 16.0])
    left, values, right = np.linalg.svd(a)
    return [values, (left * values) @ right, np.abs(left), np.linalg.svd(a[:, :3], compute_uv=False), np.linalg.pinv(a[:, :3])]


@algebra("qr, cholesky", MATRIX, step=1 / 512)
def _(x):
    a = square(x)
    orthogonal, upper = np.linalg.qr(a)
    return [orthogonal, upper, np.linalg.cholesky(a @ a.T), np.linalg.qr(a[:, :2])[1]]


@algebra("lstsq, polyfit, cond", MATRIX, step=1 / 512)
def _(x):
    a = square(x)
    solution, rest, _, singular = np.linalg.lstsq(a[:, :2], x[:4], rcond=None)
    return [solution, rest, singular, np.polyfit(np.arange(16.0), x, 3), np.linalg.cond(a)]


@transforms("fft, ifft, rfft, irfft, fft2", points(60))
def _(x):
    matrix = x.reshape(6, 10)
    more = [np.fft.fft2(matrix), np.fft.ifft(x + 1j), np.fft.fft(x[:59]), np.fft.fftshift(x), np.fft.irfft(np.fft.rfft(x))]
    return [np.fft.fft(x), np.fft.rfft(x), *more, np.abs(np.fft.fft(x[:32])) ** 2]


@transforms("interp, convolve, correlate", X, step=1 / 2048)
def _(x):
    grid = np.arange(13.0)
    return [np.interp([0.3, 4.7, 11.2], grid, x), np.interp(x, grid, grid**2), np.convolve(x, x[:4]), np.correlate(x, x[:4])]


@transforms("polyval, polynomial, roots, vander, meshgrid", points(5), step=1 / 1024)
def _(x):
    series = np.polynomial.chebyshev.chebval(x, [1.0, 0.5, 0.25])
    roots = np.sort(np.roots([1.0, -6 - x[0], 11.0, -6 + 0.1 * x[1]]).real)
    return [np.polyval([2, 1, 3.0], x), np.polyval(x, 1.5), np.vander(x, 3), np.meshgrid(x, x)[0] * 2, series, roots, np.poly(x[:3])]


@transforms("window of iterations: Newton, Jacobi, Euler", X)
def _(x):
    y, u = x.copy(), np.zeros(13)
    for _ in range(8):
        y = y - (y**3 - x) / (3 * y**2)
    for _ in range(60):
        u[1:-1] = 0.5 * (u[:-2] + u[2:]) + 0.01 * x[1:-1]
    state = x[:3]
    for _ in range(50):
        state = state + 0.01 * np.array([10 * (state[1] - state[0]), state[0] * (2 - state[2]) - state[1], state[0] * state[1]])
    return [y, u, state]
