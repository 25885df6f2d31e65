"""Cases of differentiation: functions of a few numbers, in groups.

A case is run natively, under derivgrind in forward mode, and recorded. Natively its directional derivative is computed by a
difference quotient of order 10, whose error is about that of the function's values over the step.
"""

import math

CASES = {}
#: Weights of the differences f(x + k h) - f(x - k h), k = 1 ... 5 (Fornberg 1988, table 1).
WEIGHTS = (5 / 6, -5 / 21, 5 / 84, -5 / 504, 1 / 1260)


class Case:
    """A function of a list of floats, or of an array, and where it is differentiated."""

    def __init__(self, name, function, x, group, tolerance=1e-11, step=1 / 128, agreement=1e-12, is_array=False, counted=None):
        self.name = name
        self.function = function
        self.x = [float(number) for number in x]
        self.dx = [math.cos(1 + 2 * position) for position in range(len(self.x))]
        self.group = group
        #: How much the derivative may differ from the quotient.
        self.tolerance = tolerance
        self.step = step
        #: How much forward mode and the tape may differ: they round differently.
        self.agreement = agreement
        self.is_array = is_array
        #: What the summary at exit says, for a function that is not differentiated.
        self.counted = counted

    def argument(self, numbers):
        if not self.is_array:
            return list(numbers)
        import numpy

        return numpy.array(numbers)

    def derivative(self):
        """The directional derivative along dx, by differences."""

        def at(distance):
            moved = [number + distance * dot for number, dot in zip(self.x, self.dx)]
            return flat(self.function(self.argument(moved)))

        total = [0.0] * len(at(0.0))
        for position, weight in enumerate(WEIGHTS):
            distance = (position + 1) * self.step
            for row, (above, below) in enumerate(zip(at(distance), at(-distance))):
                total[row] += weight * (above - below)
        return [number / self.step for number in total]


def case(name, x, *, group, **options):
    """Decorates the function of a case."""

    def add(function):
        key = f"{group}: {name}"
        assert key not in CASES, key
        CASES[key] = Case(key, function, x, group, **options)
        return function

    return add


def flat(result):
    """All real numbers in a result, in order; the numbers of arrays are taken out in one piece."""
    if isinstance(result, float) and type(result) is float:
        return [result]
    if isinstance(result, complex) and type(result) is complex:
        return [result.real, result.imag]
    if isinstance(result, (list, tuple)):
        return [number for part in result for number in flat(part)]
    import numpy

    array = numpy.asarray(result)
    if array.dtype.kind == "c":
        return flat([array.real, array.imag])
    if array.dtype.kind != "f":
        raise TypeError(f"a case returns floats, not {array.dtype}")
    return array.astype(float).ravel().tolist()


def points(count, start=0.25, end=2.5):
    """Numbers that are not in order and not near to integers."""
    return [start + (end - start) * ((7 * k + 3) % count + 0.37) / count for k in range(count)]


def square(x):
    """A well-conditioned matrix of 16 numbers."""
    import numpy

    return x.reshape(4, 4) + 4 * numpy.eye(4)
