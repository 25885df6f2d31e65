# /// script
# dependencies = ["derivgrind", "numpy"]
# ///
"""Derivatives through LAPACK, which nobody compiled for this: the sum of the solution x of (A + shift) x = b, with respect to
the shift of the diagonal and to b."""

import derivgrind
import numpy as np

A = np.array([[0.5, 2, 1], [3, 1, -1], [1, -4, 2]])


def sum_of_solution(inputs):
    """The inputs are the shift, then b."""
    return np.linalg.solve(A + inputs[0] * np.eye(3), inputs[1:]).sum()


inputs = derivgrind.inputf(np.array([0.25, 1, 2, 3]))
total = sum_of_solution(inputs)
derivgrind.outputf(total)
print("value", total)

if derivgrind.mode() == "forward":
    derivatives = []
    for direction in np.eye(4):
        derivgrind.set_dotvalue(inputs, direction)
        derivatives.append(derivgrind.get_dotvalue(sum_of_solution(inputs)))
    print("derivative", *derivatives)
