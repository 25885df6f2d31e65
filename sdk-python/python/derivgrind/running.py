"""Running programs under Derivgrind from an ordinary Python."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Sequence

if TYPE_CHECKING:
    from .tape import Tape


@dataclass(frozen=True)
class Finished:
    """How a program ended under Derivgrind, and what it has left."""

    args: "list[str]"
    returncode: int
    stdout: str
    stderr: str
    #: What Derivgrind has to say: what was not differentiated. Empty: everything was.
    report: str
    #: The recording, if one was asked for.
    tape: "Optional[Tape]"


def run(
    program: "Sequence[Any]",
    *,
    record: bool = False,
    options: "Sequence[str]" = (),
    check: bool = True,
    **popen: Any,
) -> Finished:
    """Run a program under Derivgrind, in forward mode or recording, and return its output and its tape.

    ``program`` is a list of words. ``options`` are for ``derivgrind``. With ``check``, a program that fails is an error,
    ``subprocess.CalledProcessError``. Further arguments are those of ``subprocess.run``, such as ``input``, ``cwd``,
    ``env`` and ``timeout``.
    """
    words = [os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in program]
    with tempfile.TemporaryDirectory(prefix="derivgrind-") as directory:
        report = os.path.join(directory, "report")
        tape_directory = os.path.join(directory, "tape")
        command = [find_program(), *options, f"--log-file={report}"]
        if record:
            command.append(f"--record={tape_directory}")
        ended = subprocess.run(
            [*command, "--", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **popen,
        )
        said = ""
        if os.path.exists(report):
            with open(report, encoding="utf-8", errors="replace") as file:
                said = file.read()
        if check and ended.returncode != 0:
            error = subprocess.CalledProcessError(ended.returncode, words, ended.stdout, ended.stderr + said)
            if ended.stderr or said:
                print(ended.stderr + said, file=sys.stderr, end="")
            raise error
        tape = None
        if record and os.path.exists(os.path.join(tape_directory, "dg-tape")):
            from .tape import Tape

            # The tape stays mapped when its directory is gone.
            tape = Tape(tape_directory)
        return Finished(words, ended.returncode, ended.stdout, ended.stderr, said, tape)


def find_program() -> str:
    """The program ``derivgrind``: named by the variable DERIVGRIND, installed beside this package, or in the PATH."""
    named = os.environ.get("DERIVGRIND")
    if named:
        return named
    # PREFIX/lib/python3.X/site-packages/derivgrind, or the same with dist-packages.
    package = os.path.dirname(os.path.abspath(__file__))
    places = [sys.prefix]
    parent = package
    for _ in range(4):
        parent = os.path.dirname(parent)
        places.append(parent)
    for place in places:
        candidate = os.path.join(place, "bin", "derivgrind")
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("derivgrind")
    if found:
        return found
    raise FileNotFoundError(
        "the program derivgrind is not found: add its directory to PATH, or set the variable DERIVGRIND to its path"
    )
