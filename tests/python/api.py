"""Each function of the package, natively, in forward mode and recorded: `api.py MODE`."""

import sys
import threading

assert "numpy" not in sys.modules
import derivgrind as dg  # noqa: E402

assert "numpy" not in sys.modules, "NumPy is loaded only by those who use it"
MODE = {"native": None}.get(sys.argv[1], sys.argv[1])
FORWARD, RECORDING = MODE == "forward", MODE == "recording"
assert dg.mode() == dg.dg_get_mode() == MODE, dg.mode()


def same(found, expected):
    import numpy

    assert numpy.array_equal(found, expected), (found, expected)


def floats():
    x = dg.set_dotvalue(3.0, 2.0)
    assert type(x) is float and x == 3.0
    assert dg.get_dotvalue(x * x) == (12.0 if FORWARD else 0.0)
    assert dg.get_dotvalue(dg.set_dotvalue(x, 0)) == 0.0
    z = dg.dg_set_dotvalue(1 + 2j, 3 - 1j)
    assert type(z) is complex and dg.dg_get_dotvalue(z * z) == (2 * (1 + 2j) * (3 - 1j) if FORWARD else 0)
    constant = 5.0
    marked = dg.inputf(constant)
    assert dg.get_index(constant) == 0, "a float that others share is not marked"
    assert (dg.get_index(marked) != 0) == RECORDING
    assert (marked is constant) == (not RECORDING), "outside of the tool the argument comes back"
    assert dg.outputf(marked) is marked
    again = dg.set_index(2.0, dg.get_index(marked))
    assert dg.get_index(again) == dg.get_index(marked)
    assert dg.get_index(dg.set_index(again, 0)) == 0
    pair = dg.inputf(1j)
    assert pair == 1j and (dg.get_index(pair) != 0).all() == RECORDING


def arrays(numpy):
    for dtype in ("f4", "f8", "longdouble", "c8", "c16", "clongdouble"):
        whole = numpy.arange(1, 25).reshape(2, 3, 4).astype(dtype)
        for x in (whole, whole[:, ::-2, 1:3], whole.T, whole[1, 1], whole[0, 0, 0:0], numpy.array(whole[0, 0, 0])):
            dots = numpy.cos(numpy.arange(x.size)).reshape(x.shape).astype(dtype)
            if x.dtype.kind == "c":
                dots = dots * x.dtype.type(1 - 2j)
            assert dg.set_dotvalue(x, dots) is x, "it is marked in place"
            found = dg.get_dotvalue(x)
            assert found.dtype == x.dtype and found.shape == x.shape
            same(found, dots if FORWARD else 0 * dots)
            same(dg.get_dotvalue(2 * x), 2 * found)
            dg.set_dotvalue(x, 0)
            same(dg.get_dotvalue(x), 0 * dots)
            assert dg.inputf(x) is x and dg.outputf(x) is x
            indices = dg.get_index(x)
            assert indices.dtype == numpy.uint64 and indices.shape == x.shape + ((2,) if x.dtype.kind == "c" else ())
            expected = indices.size if RECORDING else min(indices.size, 1)
            assert len(numpy.unique(indices)) == expected and indices.any() == (RECORDING and indices.size > 0)
            other = dg.set_index(numpy.zeros(x.shape, dtype), indices)
            same(dg.get_index(other), indices)
            dg.set_index(x, 0)
    x = numpy.zeros(3)
    copied = dg.set_dotvalue(x, 1, copy=True)
    assert copied is not x and not dg.get_dotvalue(x).any() and dg.get_dotvalue(copied).all() == FORWARD
    same(dg.get_dotvalue(dg.set_dotvalue(numpy.broadcast_to(2.0, 3), [1, 2, 3], copy=True)), [1, 2, 3] if FORWARD else [0] * 3)
    same(dg.get_dotvalue(dg.set_dotvalue(numpy.zeros((2, 2)), [1, 2])), [[1, 2]] * 2 if FORWARD else [[0] * 2] * 2)
    field = numpy.zeros(3, [("a", "i2"), ("b", "f8")])
    dg.set_dotvalue(field["b"], 7)
    same(dg.get_dotvalue(field["b"]), [7 * FORWARD] * 3)


def scalars(numpy):
    for kind in (numpy.float32, numpy.float64, numpy.longdouble, numpy.complex64, numpy.complex128, numpy.clongdouble):
        x = dg.set_dotvalue(kind(3), 2)
        assert type(x) is kind and x == 3
        dot = dg.get_dotvalue(x * x)
        assert type(dot) is kind and dot == (12 if FORWARD else 0)
        marked = dg.inputf(kind(2))
        assert type(marked) is kind and numpy.any(dg.get_index(marked)) == RECORDING
        dg.outputf(marked)


def refusals(numpy):
    def refused(error, words, function, *arguments, **options):
        try:
            function(*arguments, **options)
        except error as raised:
            assert words in str(raised), raised
        else:
            raise AssertionError(f"{function} takes {arguments}")

    frozen = numpy.zeros(3)
    frozen.setflags(write=False)
    for function, others in ((dg.inputf, ()), (dg.set_dotvalue, (0,)), (dg.set_index, (0,))):
        refused(ValueError, "copy=True", function, frozen, *others)
        refused(TypeError, "float(x)", function, 3, *others)
        refused(TypeError, "numpy.array(x)", function, [1.0], *others)
        refused(TypeError, "astype(float)", function, numpy.arange(3), *others)
        refused(TypeError, "astype(float)", function, numpy.zeros(3, numpy.float16), *others)
        refused(TypeError, "newbyteorder", function, numpy.zeros(3, numpy.dtype("f8").newbyteorder("S")), *others)
        refused(TypeError, "one by one", function, numpy.zeros(3, object), *others)
        refused(TypeError, "field", function, numpy.zeros(3, [("field", "f8")]), *others)
        refused(TypeError, "astype(float)", function, numpy.int64(3), *others)
    for function in (dg.outputf, dg.get_dotvalue, dg.get_index):
        refused(TypeError, "float(x)", function, 3)
        function(frozen)
    refused(ValueError, "shape", dg.set_dotvalue, numpy.zeros(3), [1.0, 2.0])
    refused(TypeError, "", dg.set_dotvalue, numpy.zeros(3), 1j)


def pausing():
    x = dg.inputf(3.0)
    with dg.recording_paused():
        with dg.recording_paused():
            pass
        paused = x * 2
        others = []
        thread = threading.Thread(target=lambda: others.append(dg.get_index(x * 3)))
        thread.start()
        thread.join()
    assert dg.get_index(paused) == 0
    assert (others[0] != 0) == RECORDING, "only this thread pauses"
    assert (dg.get_index(x * 2) != 0) == RECORDING
    try:
        with dg.recording_paused():
            raise KeyError
    except KeyError:
        assert (dg.get_index(x * 2) != 0) == RECORDING


def tape_control(numpy):
    x = dg.inputf(numpy.array([1.5, -2.0, 0.5]))
    start = dg.tape_position()
    assert (start != 0) == RECORDING
    for _ in range(3):
        y = (x * x).sum() * x[0]
        assert dg.tape_reverse(y) == RECORDING
        same(dg.tape_bars(x), [11.0, -6.0, 1.5] if RECORDING else [0] * 3)
        assert dg.tape_reverse(x * x, [1.0, 0, 10]) == RECORDING
        same(dg.tape_bars(x), [3.0, 0.0, 10.0] if RECORDING else [0] * 3)
        assert dg.tape_bars(float(x[0])) == (3.0 if RECORDING else 0.0)
        dg.tape_clear_bars()
        assert dg.tape_reset(start) == RECORDING
    index = dg.new_index(int(dg.get_index(x)[0]), int(dg.get_index(x)[1]), 2.0, -3.0)
    assert (index != 0) == RECORDING
    assert dg.dg_new_index(0) == 0
    assert dg.tape_reverse(dg.set_index(1.0, index)) == RECORDING
    same(dg.tape_bars(x), [2.0, -3.0, 0.0] if RECORDING else [0] * 3)


def without_lock(numpy):
    """Another thread goes on while a large array is marked."""
    x = numpy.zeros(100_000)
    marking = threading.Thread(target=dg.inputf, args=(x[::2],))
    marking.start()
    steps = 0
    while marking.is_alive():
        steps += 1
    marking.join()
    indices = dg.get_index(x)
    assert (indices[::2] != 0).all() == RECORDING and not indices[1::2].any()


floats()
import numpy  # noqa: E402

for check in (arrays, scalars, refusals, tape_control, without_lock):
    check(numpy)
pausing()
print("right")
