"""Writes expected.txt of each example: values with 60 digits, derivatives by steps in the complex plane."""

from pathlib import Path

from mpmath import mp, mpc, mpf, sqrt

mp.dps = 60
STEP = mpf(10) ** -40


def gradient(function, x):
    """The step is so small that its square does not count."""
    result = []
    for i in range(len(x)):
        aside = [mpc(number) for number in x]
        aside[i] += mpc(0, STEP)
        result.append(function(aside).imag / STEP)
    return result


def cube(x):
    return x[0] ** 3


def rosenbrock(x):
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(3))


def ode(p):
    def slope(state):
        hares, lynxes = state
        return [p[0] * hares - p[1] * hares * lynxes, p[2] * hares * lynxes - p[3] * lynxes]

    def along(state, step, direction):
        return [number + step * change for number, change in zip(state, direction)]

    h = mpf(5.0 / 200)
    state = [mpf(10), mpf(5)]
    for _ in range(200):
        k1 = slope(state)
        k2 = slope(along(state, h / 2, k1))
        k3 = slope(along(state, h / 2, k2))
        k4 = slope(along(state, h, k3))
        sums = [a + 2 * b + 2 * c + d for a, b, c, d in zip(k1, k2, k3, k4)]
        state = along(state, h / 6, sums)
    return state[0]


def linear_solve(inputs):
    """Cramer's rule."""
    shift, *b = inputs
    a = [[0.5 + shift, 2, 1], [3, 1 + shift, -1], [1, -4, 2 + shift]]

    def determinant(m):
        return sum(
            m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]) for i in range(3)
        )

    total = 0
    for column in range(3):
        replaced = [row[:column] + [b[number]] + row[column + 1 :] for number, row in enumerate(a)]
        total += determinant(replaced) / determinant(a)
    return total


def burgers(inputs, size=12, steps=20):
    width = mpf(1) / (size - 1)
    inside = [(row, column) for row in range(1, size - 1) for column in range(1, size - 1)]

    def initial(factor):
        field = [[mpf(0)] * size for _ in range(size)]
        for row, column in inside:
            x, y = column * width, row * width
            field[row][column] = inputs[0] * 16 * x * (1 - x) * y * (1 - y) * factor(x)
        return field

    def speed(row, column):
        return sqrt(u[row][column] ** 2 + v[row][column] ** 2)

    def advanced(field):
        result = [[mpf(0)] * size for _ in range(size)]
        for row, column in inside:
            here, west, south = field[row][column], field[row][column - 1], field[row - 1][column]
            spread = (west + field[row][column + 1] + south + field[row + 1][column] - 4 * here) / width**2
            change = mpf(5) / 10000 * (1 + speed(row, column)) * spread
            change -= u[row][column] * (here - west) / width + v[row][column] * (here - south) / width
            result[row][column] = here + mpf(2) / 10 * width * change
        return result

    u, v = initial(lambda x: 1), initial(lambda x: x)
    for _ in range(steps):
        u, v = advanced(u), advanced(v)
    return sum(speed(row, column) for row, column in inside) / size**2


EXAMPLES = [
    ("01-cube", cube, [3]),
    ("02-rosenbrock", rosenbrock, [-1.2, 1, 0.5, 2]),
    ("03-ode", ode, [1.1, 0.4, 0.1, 0.4]),
    ("04-linear-solve", linear_solve, [0.25, 1, 2, 3]),
    ("05-burgers", burgers, [0.5]),
]

for folder, function, inputs in EXAMPLES:
    x = [mpf(number) for number in inputs]
    derivatives = " ".join(repr(float(number)) for number in gradient(function, x))
    text = f"value {float(function(x))!r}\nderivative {derivatives}\n"
    (Path(__file__).parent / folder / "expected.txt").write_text(text)
