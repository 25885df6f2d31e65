"""Evaluation of recorded tapes with NumPy.

>>> tape = derivgrind.tape.open("DIR")        # what `derivgrind --record=DIR` has written
>>> tape.jacobian()                           # a row for each output, a column for each input
"""

import os
from typing import TYPE_CHECKING, Any, Dict, Union

import numpy

from ._native import Recording

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse.linalg import LinearOperator

__all__ = ["Tape", "open"]


class Tape:
    """The derivatives of all outputs of a recording with respect to all inputs, as a linear map."""

    def __init__(self, directory: "Union[str, os.PathLike[str]]") -> None:
        self._recording = Recording(os.fspath(directory))

    @property
    def input_indices(self) -> "NDArray[numpy.uint64]":
        """Indices of the inputs, in the order in which they were declared; 0 for one that is not on the tape."""
        return self._recording.input_indices

    @property
    def output_indices(self) -> "NDArray[numpy.uint64]":
        """Indices of the outputs, in the order in which they were declared; 0 for one that depends on no input."""
        return self._recording.output_indices

    @property
    def shape(self) -> "tuple[int, int]":
        """Numbers of outputs and inputs: the shape of the Jacobian."""
        return len(self.output_indices), len(self.input_indices)

    def stats(self) -> Dict[str, int]:
        """Bytes, operations by their kind, and other counts."""
        return self._recording.stats()

    def reverse(self, bars: "ArrayLike" = 1.0) -> "NDArray[numpy.float64]":
        """From bar values of the outputs to those of the inputs.

        ``bars`` has one number for each output, or a row for each with as many columns as there are evaluations. A single
        number stands for all outputs.
        """
        return self._evaluate(False, bars, self.shape[0], "output")

    def forward(self, dots: "ArrayLike" = 1.0) -> "NDArray[numpy.float64]":
        """From dot values of the inputs to those of the outputs, in the same way."""
        return self._evaluate(True, dots, self.shape[1], "input")

    def jacobian(self) -> "NDArray[numpy.float64]":
        """All derivatives: a row for each output, a column for each input."""
        outputs, inputs = self.shape
        if inputs < outputs:
            return self.forward(numpy.eye(inputs))
        return self.reverse(numpy.eye(outputs)).T

    def linear_operator(self) -> "LinearOperator":
        """The same without computing it, for the solvers of ``scipy.sparse.linalg``."""
        from scipy.sparse.linalg import LinearOperator

        return LinearOperator(
            self.shape,
            matvec=lambda dots: self.forward(numpy.ravel(dots)),
            rmatvec=lambda bars: self.reverse(numpy.ravel(bars)),
            matmat=self.forward,
            rmatmat=self.reverse,
            dtype=numpy.float64,
        )

    def _evaluate(self, is_forward: bool, seeds: Any, count: int, kind: str) -> "NDArray[numpy.float64]":
        seeds = numpy.asarray(seeds, dtype=numpy.float64)
        if seeds.ndim == 0:
            seeds = numpy.full(count, seeds)
        if seeds.ndim > 2 or seeds.shape[0] != count:
            raise ValueError(
                f"there are {count} {kind}s: the seeds have the shape ({count},) or ({count}, columns), not {seeds.shape}"
            )
        columns = seeds if seeds.ndim == 2 else seeds[:, numpy.newaxis]
        results = self._recording.evaluate(is_forward, columns)
        return results.reshape(results.shape[:1] + seeds.shape[1:])

    def __repr__(self) -> str:
        outputs, inputs = self.shape
        return f"<derivgrind tape: {inputs} inputs, {outputs} outputs>"


def open(directory: "Union[str, os.PathLike[str]]") -> Tape:
    """Open the tape in a directory that ``derivgrind --record=DIRECTORY`` has written to."""
    return Tape(directory)
