"""Nanoseconds of each function of the Python package outside of the tool, without those of an empty loop: lines NAME TIME."""

import timeit

import derivgrind

CALLS = [
    ("set_dotvalue", "set_dotvalue(x, dot)"),
    ("get_dotvalue", "get_dotvalue(x)"),
    ("inputf", "inputf(x)"),
    ("outputf", "outputf(x)"),
    ("mode", "mode()"),
]
COUNT = 200_000


def nanoseconds(statement, names):
    return min(timeit.repeat(statement, number=COUNT, repeat=7, globals=names)) / COUNT * 1e9


names = {**vars(derivgrind), "x": 0.75, "dot": 1.0}
empty = nanoseconds("pass", names)
for name, statement in CALLS:
    print(f"{name} {nanoseconds(statement, names) - empty:.1f}")
