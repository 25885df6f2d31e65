"""`derivgrind.run` and `derivgrind.tape` from an ordinary Python."""

import os
import subprocess
import sys
import tempfile
import warnings

import derivgrind
import derivgrind.tape
import numpy

PROGRAM = """
import sys, derivgrind, numpy
x = derivgrind.inputf(numpy.array([1.5, -2.0, 0.5]))
unused = derivgrind.inputf(4.0)
y = [x[0] * x[1] * x[2], x @ x]
for number in y:
    derivgrind.outputf(number)
print("mode", derivgrind.mode(), sys.stdin.read())
print("words", file=sys.stderr)
"""
JACOBIAN = numpy.array([[-1.0, 0.75, -3.0, 0.0], [3.0, -4.0, 1.0, 0.0]])

ended = derivgrind.run([sys.executable, "-c", PROGRAM], record=True, input="text")
assert (ended.returncode, ended.stdout, ended.stderr) == (0, "mode recording text\n", "words\n"), ended
assert ended.report == "", ended.report
tape = ended.tape
assert tape.shape == (2, 4) and len(tape.input_indices) == 4 and len(tape.output_indices) == 2
assert "4 inputs, 2 outputs" in repr(tape)
assert (tape.jacobian() == JACOBIAN).all(), tape.jacobian()
bars, dots = numpy.array([2.0, -1.0]), numpy.array([1.0, 2.0, 3.0, 4.0])
assert (tape.reverse(bars) == bars @ JACOBIAN).all()
assert (tape.reverse() == JACOBIAN.sum(0)).all()
assert (tape.forward(dots) == JACOBIAN @ dots).all()
many = numpy.arange(40.0).reshape(4, 10)
assert (tape.forward(many) == JACOBIAN @ many).all()
assert (tape.forward(many[:, ::3]) == JACOBIAN @ many[:, ::3]).all(), "seeds of any strides"
assert tape.forward(many[:, :0]).shape == (2, 0)
for wrong in (numpy.zeros(5), numpy.zeros((2, 2, 2))):
    try:
        tape.reverse(wrong)
    except ValueError as error:
        assert "2 outputs" in str(error), error
    else:
        raise AssertionError("wrong seeds are taken")
stats = tape.stats()
assert stats["inputs"] == 4 and stats["outputs"] == 2 and stats["product"] >= 5, stats
try:
    import scipy
except ImportError:
    pass
else:
    operator = tape.linear_operator()
    assert (operator @ dots == JACOBIAN @ dots).all() and (operator.T @ bars == bars @ JACOBIAN).all()
    assert (operator @ many == JACOBIAN @ many).all() and operator.shape == (2, 4)

forward = derivgrind.run([sys.executable, "-c", "import derivgrind; print(derivgrind.mode())"])
assert forward.stdout == "forward\n" and forward.tape is None
reported = derivgrind.run(
    [sys.executable, "-c", "import derivgrind; str(derivgrind.set_dotvalue(1.5, 1))"], options=["-v"]
)
assert "converted to text" in reported.report, reported
try:
    derivgrind.run([sys.executable, "-c", "import sys; sys.exit(3)"])
except subprocess.CalledProcessError as error:
    assert error.returncode == 3
else:
    raise AssertionError("a program that fails is an error")
assert derivgrind.run([sys.executable, "-c", "import sys; sys.exit(3)"], check=False).returncode == 3

with tempfile.TemporaryDirectory() as directory:
    program = "import derivgrind; y = derivgrind.inputf(2.0) ** 3; derivgrind.outputf(y); derivgrind.outputf(1.0)"
    derivgrind.run([sys.executable, "-c", program], options=[f"--record={directory}/tape"])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tape = derivgrind.tape.open(os.path.join(directory, "tape"))
    assert [str(one.message) for one in told if "passive" in str(one.message)], told
    assert (tape.jacobian() == [[12.0], [0.0]]).all()
    try:
        derivgrind.tape.open(os.path.join(directory, "nothing"))
    except OSError as error:
        assert "nothing" in str(error)
    else:
        raise AssertionError("there is no tape")
print("right")
