# /// script
# dependencies = ["derivgrind", "numpy"]
# ///
"""Two-dimensional Burgers' equation, differentiated with respect to the amplitude of the initial velocity.

    burgers.py SIZE STEPS AMPLITUDE

../c/burgers.c says what is computed.
"""

import sys

import derivgrind
import numpy as np

size, steps, amplitude = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

# (1) The amplitude is the input.
amplitude = derivgrind.set_dotvalue(amplitude, 1.0)
amplitude = derivgrind.inputf(amplitude)

width = 1 / (size - 1)
x, y = np.meshgrid(np.arange(size) * width, np.arange(size) * width)
u = amplitude * 16 * x * (1 - x) * y * (1 - y)
v = u * x


def advanced(field, u, v):
    """One explicit step in time for one component. Velocities are not negative: upwind is west and south."""
    here, west, south = field[1:-1, 1:-1], field[1:-1, :-2], field[:-2, 1:-1]
    spread = (west + field[1:-1, 2:] + south + field[2:, 1:-1] - 4 * here) / width**2
    u, v = u[1:-1, 1:-1], v[1:-1, 1:-1]
    change = 5e-4 * (1 + np.sqrt(u * u + v * v)) * spread - u * (here - west) / width - v * (here - south) / width
    result = field.copy()
    result[1:-1, 1:-1] += 0.2 * width * change
    return result


for _ in range(steps):
    u, v = advanced(u, u, v), advanced(v, u, v)
mean_speed = np.sum(np.sqrt(u * u + v * v)) / size**2
print("value", mean_speed)

# (2) Natively there is no derivative to be printed.
if derivgrind.mode() == "forward":
    # (3) The derivative of the result.
    print("derivative", derivgrind.get_dotvalue(mean_speed))
derivgrind.outputf(mean_speed)
