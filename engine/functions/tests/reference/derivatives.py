"""Derivatives of mathematical functions with 40 digits, by difference quotients of functions that have more.

Prints lines `NAME INTEGER ARGUMENTS ; VALUES ; PARTIALS ; SIZES`. A number is written as the sum of two of binary64,
HIGH,LOW. Real partial derivatives are in the order of the arguments; of a holomorphic function there is the complex
derivative for each complex argument. The size of a partial derivative is its magnitude, or how much it changes with the
logarithm of an argument, if that is more: what an error is to be compared with. The words behind COUNT and SEED are the
bits and the largest exponent of arguments and derivatives, which are those of binary64 without them.
"""
import random
import sys

import mpmath as mp

mp.mp.dps = 60
COUNT, SEED, BITS, LARGEST = (int(word) for word in (sys.argv[1:] + ["53", "1023"])[:4])
random.seed(SEED)
PI = mp.pi


def both(number):
    high = float(number)
    return f"{high!r},{float(number - mp.mpf(high))!r}"


def parts(number):
    return [mp.re(number), mp.im(number)]


def line(name, integer, arguments, values, partials, sizes):
    if any(number and not 2.0 ** -LARGEST < abs(number) < 2.0**LARGEST for number in arguments + partials):
        return
    words = [" ".join(both(number) for number in numbers) for numbers in (arguments, values, partials, sizes)]
    print(name, integer, " ; ".join(words))


def rounded(number):
    """To so many bits as the arguments have."""
    mantissa, exponent = mp.frexp(mp.mpf(number))
    return mp.ldexp(mp.nint(mp.ldexp(mantissa, BITS)), exponent - BITS)


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


# Ends of domains, where there is no difference quotient.
UNIT_ENDS = [-1, 1]
ENDS = {
    "acos": UNIT_ENDS,
    "asin": UNIT_ENDS,
    "acospi": UNIT_ENDS,
    "asinpi": UNIT_ENDS,
    "atanh": UNIT_ENDS,
    "acosh": [1],
    "log1p": [-1],
    "log2p1": [-1],
    "log10p1": [-1],
}


def half_turns(function):
    return lambda x: function(PI * x)


def degrees(function):
    return lambda x: function(PI * x / 180)


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
    "invcbrt": (lambda x: mp.sign(x) / mp.cbrt(abs(x)), signed(magnitudes(-300, 300))),
    "erfinv": (mp.erfinv, uniform(-0.99, 0.99)),
    "erfcinv": (lambda x: mp.erfinv(1 - x), uniform(0.01, 1.99)),
    "cdfnorm": (mp.ncdf, some(ALL, uniform(-30, 5))),
    "cdfnorminv": (lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1), uniform(0.01, 0.99)),
    "sind": (degrees(mp.sin), some(uniform(-1000, 1000), signed(magnitudes(-60, 20)))),
    "cosd": (degrees(mp.cos), some(uniform(-1000, 1000), signed(magnitudes(-60, 20)))),
    "tand": (degrees(mp.tan), uniform(-89, 89)),
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
    return mp.mpc(rounded(random.uniform(-size, size)), rounded(random.uniform(-size, size)))


def real_line(name, integer, function, arguments):
    """`function` has as many arguments as there are numbers."""
    if any(end in arguments for end in ENDS.get(name, [])):
        # Rounding has led there.
        return
    partials, sizes = [], []
    for number, x in enumerate(arguments):
        at = lambda t: function(*arguments[:number], t, *arguments[number + 1 :])
        partials.append(slope(at, x))
        sizes.append(max([abs(partials[-1])] + [abs(y * mixed(function, arguments, number, other)) for other, y in enumerate(arguments)]))
    line(name, integer, arguments, [function(*arguments)], partials, sizes)


def mixed(function, arguments, first, second):
    """A second derivative, roughly."""
    largest = max(abs(x) for x in arguments)
    mp.mp.dps = 340 if largest > 2**60 else 60
    step = [step_for(x, 15) for x in arguments]

    def at(forward, other):
        shifted = list(arguments)
        shifted[first] += forward * step[first]
        shifted[second] += other * step[second]
        return function(*shifted)

    if first == second:
        change = (at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / step[first] ** 2
    else:
        change = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * step[first] * step[second])
    mp.mp.dps = 60
    return +change


def step_for(x, digits):
    size = abs(x) or mp.mpf(1)
    return mp.mpf(10) ** -digits * min(1, size)


def complex_line(name, function, arguments):
    partials, sizes = [], []
    for number, z in enumerate(arguments):
        partial = slope(lambda t: function(*arguments[:number], t, *arguments[number + 1 :]), z)
        change = abs(z) * mixed(function, arguments, number, number)
        partials += parts(partial)
        sizes += [max(abs(partial), abs(change))] * 2
    flat = [part for z in arguments for part in parts(z)]
    line(name, 0, flat, parts(function(*arguments)), partials, sizes)


def main():
    for _ in range(COUNT):
        for name, (function, draw) in REAL.items():
            real_line(name, 0, function, [rounded(draw())])
        for name, (function, draw_integer, draw) in WITH_INTEGER.items():
            n = draw_integer()
            real_line(name, n, lambda x: function(n, x), [rounded(draw())])
        for name, (function, draw_first, draw_second) in TWO.items():
            real_line(name, 0, function, [rounded(draw_first()), rounded(draw_second())])
        for name, function in COMPLEX.items():
            complex_line(name, function, [point()])
        complex_line("cpow", lambda z, w: z**w, [point(), point(2)])
        z = point()
        for name, function in {"cabs": lambda x, y: mp.sqrt(x * x + y * y), "carg": lambda x, y: mp.atan2(y, x)}.items():
            real_line(name, 0, function, parts(z))


def slope(function, x):
    """The symmetric difference quotient, whose error is the square of the relative step."""
    # The arguments of 53 bits, their sum with the step, and what cancels need all these digits.
    mp.mp.dps = 700 if abs(x) > 2**60 else 160
    step = step_for(x, 50)
    quotient = (function(x + step) - function(x - step)) / (2 * step)
    mp.mp.dps = 60
    return +quotient


main()
