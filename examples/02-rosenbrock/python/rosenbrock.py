# /// script
# dependencies = ["derivgrind", "numpy"]
# ///
"""The gradient of the Rosenbrock function: in forward mode a run of the function for each input, in recording mode all at once."""

import derivgrind
import numpy as np


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


# An array is marked where it is.
x = derivgrind.inputf(np.array([-1.2, 1, 0.5, 2]))
y = rosenbrock(x)
derivgrind.outputf(y)
print("value", y)

if derivgrind.mode() == "forward":
    gradient = []
    for direction in np.eye(4):
        derivgrind.set_dotvalue(x, direction)
        gradient.append(derivgrind.get_dotvalue(rosenbrock(x)))
    print("derivative", *gradient)
