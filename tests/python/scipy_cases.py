"""SciPy: integration, optimisation, interpolation, sparse matrices, special functions."""

import functools

import numpy as np
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.special
import scipy.stats

from cases import case, points, square

integration = functools.partial(case, group="scipy.integrate", is_array=True)
optimisation = functools.partial(case, group="scipy.optimize", is_array=True)
interpolation = functools.partial(case, group="scipy.interpolate", is_array=True)
algebra = functools.partial(case, group="scipy.linalg and sparse", is_array=True)
special = functools.partial(case, group="scipy.special", is_array=True)
various = functools.partial(case, group="scipy.fft, signal, stats", is_array=True)
X = points(5)
MATRIX = points(16)


@integration("quad, dblquad, fixed_quad", X, tolerance=1e-9)
def _(x):
    one = scipy.integrate.quad(lambda t: np.exp(-x[0] * t) * np.sin(x[1] * t), 0, x[2])[0]
    half_line = scipy.integrate.quad(lambda t: np.exp(-x[3] * t * t), 0, np.inf)[0]
    two = scipy.integrate.dblquad(lambda s, t: x[0] * s * t + x[1], 0, 1, 0, lambda t: t * x[2])[0]
    return [one, half_line, two, scipy.integrate.fixed_quad(lambda t: np.exp(x[4] * t), 0, 1)[0]]


@integration("trapezoid, simpson, cumulative_trapezoid", points(9))
def _(x):
    rules = [scipy.integrate.trapezoid(x, dx=0.25), scipy.integrate.simpson(x, dx=0.25)]
    return [*rules, scipy.integrate.cumulative_trapezoid(x, dx=0.25)]


def orbit(x, method, **options):
    def field(_, y):
        return [x[0] * y[1], -x[1] * y[0] - 0.1 * y[1] * y[0]]

    return scipy.integrate.solve_ivp(field, (0, 2), [x[2], x[3]], method=method, rtol=1e-10, atol=1e-12, **options)


@integration("solve_ivp with RK45, DOP853", X, tolerance=1e-7)
def _(x):
    return [orbit(x, "RK45").y[:, -1], orbit(x, "DOP853").y[:, -1], orbit(x, "RK45", t_eval=[0.5, 1.5]).y]


@integration("solve_ivp with Radau, BDF, LSODA", X, tolerance=1e-5, agreement=1e-10)
def _(x):
    return [orbit(x, method).y[:, -1] for method in ("Radau", "BDF", "LSODA")]


@integration("odeint", X, tolerance=1e-6)
def _(x):
    return scipy.integrate.odeint(lambda y, t: [x[0] * y[1], -x[1] * y[0]], x[2:4], [0, 0.5, 1], rtol=1e-11, atol=1e-12)


@optimisation("brentq, newton, fsolve, root", X, tolerance=1e-9, agreement=1e-9)
def _(x):
    bracketed = scipy.optimize.brentq(lambda t: t**3 - x[0] - 1, 0, 3, xtol=1e-14, rtol=1e-14)
    newton = scipy.optimize.newton(lambda t: t**2 - x[1], 1.0, fprime=lambda t: 2 * t)
    system = scipy.optimize.fsolve(lambda v: [v[0] ** 2 - x[2], v[0] * v[1] - x[3]], [1.0, 1.0], xtol=1e-14)
    return [bracketed, newton, system]


@optimisation("minimize by BFGS with its gradient", X, tolerance=1e-6, agreement=1e-8)
def _(x):
    def f(v):
        return (v[0] - x[0]) ** 2 + 3 * (v[1] - x[1] * v[0]) ** 2

    def gradient(v):
        inner = v[1] - x[1] * v[0]
        return np.array([2 * (v[0] - x[0]) - 6 * x[1] * inner, 6 * inner])

    return scipy.optimize.minimize(f, [0.1, 0.2], jac=gradient, method="BFGS", options={"gtol": 1e-12}).x


@optimisation("least_squares, curve_fit, linear programs aside", X, tolerance=1e-6, agreement=1e-8)
def _(x):
    grid = np.linspace(0, 1, 5)
    return scipy.optimize.least_squares(lambda v: v[0] + v[1] * grid - x, [0.0, 0.0], jac=lambda v: np.stack([np.ones(5), grid], 1)).x


@interpolation("interp1d, CubicSpline, PchipInterpolator, make_interp_spline", points(9), step=1 / 2048, tolerance=1e-10)
def _(x):
    grid, at = np.arange(9.0), [0.3, 3.7, 7.1]
    linear, cubic = scipy.interpolate.interp1d(grid, x), scipy.interpolate.interp1d(grid, x, kind="cubic")
    smooth = [scipy.interpolate.CubicSpline(grid, x), scipy.interpolate.PchipInterpolator(grid, x)]
    return [linear(at), cubic(at), *[curve(at) for curve in smooth], scipy.interpolate.make_interp_spline(grid, x)(at), cubic(x + 1)]


@interpolation("UnivariateSpline, splrep, RegularGridInterpolator, griddata", points(16), step=1 / 2048, tolerance=1e-10)
def _(x):
    grid = np.arange(16.0)
    knots = scipy.interpolate.splrep(grid, x)
    plane = scipy.interpolate.RegularGridInterpolator((np.arange(4.0), np.arange(4.0)), x.reshape(4, 4))
    return [scipy.interpolate.UnivariateSpline(grid, x, s=0)([0.5, 9.3]), scipy.interpolate.splev([0.5, 9.3], knots), plane([[0.5, 1.2]])]


@algebra("lu, lu_factor, solve, cho_solve, qr, expm", MATRIX, step=1 / 512)
def _(x):
    a = square(x)
    lu = scipy.linalg.lu(a)[1:]
    cholesky = scipy.linalg.cho_solve(scipy.linalg.cho_factor(a @ a.T), x[:4])
    factors = scipy.linalg.lu_factor(a)
    return [*lu, scipy.linalg.lu_solve(factors, x[:4]), scipy.linalg.solve(a, x[:4]), cholesky, scipy.linalg.expm(a / 8)]


@algebra("schur, eigh with two matrices, sqrtm, solve_banded, solve_triangular", MATRIX, step=1 / 1024, tolerance=1e-10)
def _(x):
    a = square(x)
    symmetric = a + a.T
    pair = scipy.linalg.eigh(symmetric, a @ a.T + np.eye(4), eigvals_only=True)
    banded = scipy.linalg.solve_banded((1, 1), np.stack([x[:4], x[4:8] + 5, x[8:12]]), x[12:])
    return [pair, scipy.linalg.sqrtm(a @ a.T), banded, scipy.linalg.solve_triangular(np.tril(a), x[:4], lower=True)]


@algebra("sparse products, spsolve, splu", points(40), step=1 / 512, tolerance=1e-10)
def _(x):
    a = scipy.sparse.diags([x[:9], x[9:19] + 5, x[19:28]], [-1, 0, 1], format="csc")
    return [a @ x[:10], (a.T @ a).toarray(), scipy.sparse.linalg.spsolve(a, x[30:]), scipy.sparse.linalg.splu(a).solve(x[:10])]


@algebra("cg, gmres, eigsh", points(20), step=1 / 2048, tolerance=1e-5, agreement=1e-8)
def _(x):
    a = scipy.sparse.diags([x[10:19], x[:10] + 6, x[10:19]], [-1, 0, 1], format="csr")
    return [scipy.sparse.linalg.cg(a, x[:10], atol=1e-14, **_tight())[0], scipy.sparse.linalg.gmres(a, x[:10], atol=1e-14, **_tight())[0]]


def _tight():
    import inspect

    name = "rtol" if "rtol" in inspect.signature(scipy.sparse.linalg.cg).parameters else "tol"
    return {name: 1e-13}


@special("gamma, gammaln, digamma, beta, erf, erfinv, erfc", points(11, 0.3, 0.9), step=1 / 1024, tolerance=1e-10)
def _(x):
    gammas = [scipy.special.gamma(x), scipy.special.gammaln(x), scipy.special.digamma(x), scipy.special.beta(x, x[::-1])]
    return [*gammas, scipy.special.erf(x), scipy.special.erfc(x), scipy.special.erfinv(x), scipy.special.gammainc(x, 0.7)]


@special("j0, j1, jv, y0, i0, k0, airy, ellipk, hyp2f1, lambertw, expit, logsumexp, zeta", points(11, 0.3, 0.9), step=1 / 1024, tolerance=1e-10)
def _(x):
    bessel = [scipy.special.j0(x), scipy.special.j1(x), scipy.special.jv(1.5, x), scipy.special.y0(x), scipy.special.i0(x), scipy.special.k0(x)]
    more = [scipy.special.airy(x)[0], scipy.special.ellipk(x * 0.5), scipy.special.hyp2f1(0.5, 1.5, 2.5, x * 0.5)]
    last = [scipy.special.lambertw(x).real, scipy.special.expit(x), scipy.special.logsumexp(x), scipy.special.zeta(x + 1.5), scipy.special.xlogy(x, x)]
    return [*bessel, *more, *last]


@various("fft, dct, convolve, lfilter, savgol_filter", points(24))
def _(x):
    filtered = [scipy.signal.lfilter([1, 0.5], [1, -0.3], x), scipy.signal.savgol_filter(x, 5, 2), scipy.signal.fftconvolve(x, x[:5])]
    return [scipy.fft.fft(x), scipy.fft.dct(x), scipy.fft.idst(x), *filtered]


@various("norm, gamma and t distributions, describe", points(9, 0.3, 0.9), step=1 / 1024, tolerance=1e-10)
def _(x):
    normal = [scipy.stats.norm.pdf(x), scipy.stats.norm.cdf(x), scipy.stats.norm.ppf(x), scipy.stats.norm.logpdf(x, x[0], x[1])]
    return [*normal, scipy.stats.gamma.pdf(x, 2.5), scipy.stats.t.cdf(x, 4), scipy.stats.skew(x), scipy.stats.kurtosis(x)]
