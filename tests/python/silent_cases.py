"""Known limits: what is neither differentiated nor reported. The derivatives are zero, or something else that is wrong."""

import functools
import math

from cases import case

silent = functools.partial(case, group="known limits")
X = [0.75, 1.375]


@silent("math.fsum where large terms cancel exactly", X)
def _(x):
    return math.fsum([1e16, x[0], -1e16])
