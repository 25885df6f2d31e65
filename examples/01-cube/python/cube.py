# /// script
# dependencies = ["derivgrind"]
# ///
"""The cube of a number, and its derivative."""

import derivgrind

# Forward mode: the derivative of x with respect to itself is 1. Floats are immutable: the new one has the dot value.
x = derivgrind.set_dotvalue(3.0, 1.0)
# Recording: x is an input.
x = derivgrind.inputf(x)

y = x**3
print("value", y)

if derivgrind.mode() == "forward":
    print("derivative", derivgrind.get_dotvalue(y))
derivgrind.outputf(y)
