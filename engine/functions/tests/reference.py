"""Derivatives of mathematical functions with 40 digits, by difference quotients of functions that have more.

Prints lines `NAME INTEGER ARGUMENTS ; VALUES ; PARTIALS`. A number is written as the sum of two of binary64, HIGH,LOW.
Real partial derivatives are in the order of the arguments; of a holomorphic function there is the complex derivative for
each complex argument.
"""
import random
import sys

import mpmath as mp

mp.mp.dps = 60
random.seed(int(sys.argv[2]))
COUNT = int(sys.argv[1])
PI = mp.pi


def both(number):
    high = float(number)
    return f"{high!r},{float(number - mp.mpf(high))!r}"


def parts(number):
    return [mp.re(number), mp.im(number)]


def line(name, integer, arguments, values, partials):
    words = [" ".join(both(number) for number in numbers) for numbers in (arguments, values, partials)]
    print(name, integer, " ; ".join(words))


def uniform(low, high):
    return lambda: random.uniform(low, high)


def magnitudes(low, high):
    """All magnitudes between two powers of two."""
    return lambda: random.uniform(1, 2) * 2.0 ** random.randint(low, high)


def signed(draw):
    return lambda: draw() * random.choice([-1, 1])


def some(*draws):
    return lambda: random.choice(draws)()


ALL = some(uniform(-10, 10), signed(magnitudes(-60, 3)))
UNIT = some(uniform(-1, 1), signed(magnitudes(-60, -1)), lambda: signed(lambda: 1 - magnitudes(-50, -2)())())
POSITIVE = some(uniform(0, 10), magnitudes(-300, 300))
ANGLES = some(ALL, signed(magnitudes(0, 40)))
LARGE_ANGLES = some(ANGLES, signed(magnitudes(40, 900)))
EXPONENTS = some(ALL, uniform(-300, 300))


def half_turns(function):
    return lambda x: function(PI * x)


REAL = {
    "acos": (mp.acos, UNIT),
    "asin": (mp.asin, UNIT),
    "atan": (mp.atan, some(ALL, signed(magnitudes(0, 300)))),
    "acospi": (lambda x: mp.acos(x) / PI, UNIT),
    "asinpi": (lambda x: mp.asin(x) / PI, UNIT),
    "atanpi": (lambda x: mp.atan(x) / PI, ALL),
    "cos": (mp.cos, LARGE_ANGLES),
    "sin": (mp.sin, LARGE_ANGLES),
    "tan": (mp.tan, ANGLES),
    "cospi": (half_turns(mp.cos), ALL),
    "sinpi": (half_turns(mp.sin), ALL),
    "tanpi": (half_turns(mp.tan), uniform(-10, 10)),
    "acosh": (mp.acosh, some(uniform(1, 10), magnitudes(0, 300), lambda: 1 + magnitudes(-40, 0)())),
    "asinh": (mp.asinh, some(ALL, signed(magnitudes(-100, 300)))),
    "atanh": (mp.atanh, UNIT),
    "cosh": (mp.cosh, EXPONENTS),
    "sinh": (mp.sinh, EXPONENTS),
    "tanh": (mp.tanh, some(ALL, uniform(-50, 50))),
    "exp": (mp.exp, EXPONENTS),
    "exp2": (lambda x: mp.mpf(2) ** x, EXPONENTS),
    "exp10": (lambda x: mp.mpf(10) ** x, EXPONENTS),
    "expm1": (mp.expm1, some(ALL, uniform(-100, 300))),
    "exp2m1": (lambda x: mp.mpf(2) ** x - 1, some(ALL, uniform(-100, 300))),
    "exp10m1": (lambda x: mp.mpf(10) ** x - 1, uniform(-10, 10)),
    "log": (mp.log, POSITIVE),
    "log2": (lambda x: mp.log(x, 2), POSITIVE),
    "log10": (lambda x: mp.log(x, 10), POSITIVE),
    "log1p": (mp.log1p, some(uniform(-1, 10), magnitudes(-60, 300))),
    "log2p1": (lambda x: mp.log1p(x) / mp.log(2), some(uniform(-1, 10), magnitudes(-60, 300))),
    "log10p1": (lambda x: mp.log1p(x) / mp.log(10), some(uniform(-1, 10), magnitudes(-60, 300))),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), magnitudes(-300, 300)),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), signed(magnitudes(-300, 300))),
    "erf": (mp.erf, ALL),
    "erfc": (mp.erfc, some(ALL, uniform(-5, 25))),
    "tgamma": (mp.gamma, some(uniform(-20, 20), uniform(0, 150), magnitudes(-60, 6))),
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), some(uniform(-20, 20), magnitudes(-60, 12))),
    "j0": (lambda x: mp.besselj(0, x), uniform(-30, 30)),
    "j1": (lambda x: mp.besselj(1, x), uniform(-30, 30)),
    "y0": (lambda x: mp.bessely(0, x), uniform(0.01, 30)),
    "y1": (lambda x: mp.bessely(1, x), uniform(0.01, 30)),
}

WITH_INTEGER = {
    "jn": (mp.besselj, lambda: random.randint(-6, 6), uniform(-30, 30)),
    "yn": (mp.bessely, lambda: random.randint(-6, 6), uniform(0.1, 30)),
    "pown": (lambda n, x: x**n, lambda: random.randint(-20, 20), signed(magnitudes(-12, 12))),
    "rootn": (lambda n, x: mp.root(x, n), lambda: random.randint(1, 9), magnitudes(-60, 60)),
    "compoundn": (lambda n, x: (1 + x) ** n, lambda: random.randint(-20, 20), uniform(-0.9, 5)),
    "ldexp": (lambda n, x: x * mp.mpf(2) ** n, lambda: random.randint(-900, 900), uniform(-1, 1)),
}

TWO = {
    "atan2": (mp.atan2, signed(magnitudes(-30, 30)), signed(magnitudes(-30, 30))),
    "atan2pi": (lambda y, x: mp.atan2(y, x) / PI, ALL, ALL),
    "pow": (lambda x, y: x**y, magnitudes(-30, 30), uniform(-20, 20)),
    "powr": (lambda x, y: x**y, uniform(0.5, 2), uniform(-300, 300)),
    "hypot": (lambda x, y: mp.sqrt(x * x + y * y), signed(magnitudes(-30, 30)), signed(magnitudes(-30, 30))),
    "fmod": (lambda x, y: x - y * int(x / y), uniform(-50, 50), signed(uniform(1, 3))),
    "remainder": (lambda x, y: x - y * mp.nint(x / y), uniform(-50, 50), signed(uniform(1, 3))),
    "fdim": (lambda x, y: max(x - y, mp.mpf(0)), uniform(-1, 1), uniform(-1, 1)),
}

COMPLEX = {
    "cexp": mp.exp,
    "clog": mp.log,
    "clog10": lambda z: mp.log(z) / mp.log(10),
    "csqrt": mp.sqrt,
    "csin": mp.sin,
    "ccos": mp.cos,
    "ctan": mp.tan,
    "csinh": mp.sinh,
    "ccosh": mp.cosh,
    "ctanh": mp.tanh,
    "casin": mp.asin,
    "cacos": mp.acos,
    "catan": mp.atan,
    "casinh": mp.asinh,
    "cacosh": mp.acosh,
    "catanh": mp.atanh,
}


def point(size=4):
    return mp.mpc(random.uniform(-size, size), random.uniform(-size, size))


def main():
    for _ in range(COUNT):
        for name, (function, draw) in REAL.items():
            x = mp.mpf(draw())
            line(name, 0, [x], [function(x)], [slope(function, x)])
        for name, (function, draw_integer, draw) in WITH_INTEGER.items():
            n, x = draw_integer(), mp.mpf(draw())
            line(name, n, [x], [function(n, x)], [slope(lambda t: function(n, t), x)])
        for name, (function, draw_first, draw_second) in TWO.items():
            x, y = mp.mpf(draw_first()), mp.mpf(draw_second())
            partials = [slope(lambda t: function(t, y), x), slope(lambda t: function(x, t), y)]
            line(name, 0, [x, y], [function(x, y)], partials)
        for name, function in COMPLEX.items():
            z = point()
            line(name, 0, parts(z), parts(function(z)), parts(slope(function, z)))
        z, w = point(), point(2)
        partials = parts(slope(lambda t: t**w, z)) + parts(slope(lambda t: z**t, w))
        line("cpow", 0, parts(z) + parts(w), parts(z**w), partials)
        z = point()
        for name, function in {"cabs": lambda x, y: mp.sqrt(x * x + y * y), "carg": lambda x, y: mp.atan2(y, x)}.items():
            partials = [slope(lambda t: function(t, z.imag), z.real), slope(lambda t: function(z.real, t), z.imag)]
            line(name, 0, parts(z), [function(z.real, z.imag)], partials)


def slope(function, x):
    """The symmetric difference quotient, whose error is the square of the relative step."""
    # The arguments of 53 bits, their sum with the step, and what cancels need all these digits.
    mp.mp.dps = 700 if abs(x) > 2**60 else 160
    step = (abs(x) if x else 1) * mp.mpf(10) ** -50 * min(1, 1 / (abs(x) if abs(x) > 1 else 1))
    quotient = (function(x + step) - function(x - step)) / (2 * step)
    mp.mp.dps = 60
    return +quotient


main()
