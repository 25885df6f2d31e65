# /// script
# dependencies = ["derivgrind", "numpy"]
# ///
"""Sensitivities of an initial value problem: how many hares there are at the end, with respect to the four parameters of the
Lotka-Volterra equations

    hares'  = birth * hares - predation * hares * lynxes
    lynxes' = growth * hares * lynxes - death * lynxes

which the classical Runge-Kutta method integrates.
"""

import derivgrind
import numpy as np


def slope(p, state):
    birth, predation, growth, death = p
    hares, lynxes = state
    meetings = hares * lynxes
    return np.array([birth * hares - predation * meetings, growth * meetings - death * lynxes])


def hares_at_the_end(p):
    steps = 200
    h = 5 / steps
    state = np.array([10.0, 5.0])
    for _ in range(steps):
        k1 = slope(p, state)
        k2 = slope(p, state + h / 2 * k1)
        k3 = slope(p, state + h / 2 * k2)
        k4 = slope(p, state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state[0]


p = derivgrind.inputf(np.array([1.1, 0.4, 0.1, 0.4]))
hares = hares_at_the_end(p)
derivgrind.outputf(hares)
print("value", hares)

if derivgrind.mode() == "forward":
    sensitivities = []
    for direction in np.eye(4):
        derivgrind.set_dotvalue(p, direction)
        sensitivities.append(derivgrind.get_dotvalue(hares_at_the_end(p)))
    print("derivative", *sensitivities)
