"""Prints docs/python.md: a row for each case."""

import importlib

import cases

HEAD = """# What is differentiated of CPython, NumPy and SciPy

`tests/python/table.py` prints this table; a row is a case of `tests/python`, and `cargo xtask test` runs each of them with the
unchanged interpreters of the system and of a virtual environment, with Debian's older NumPy and the newest NumPy and SciPy of
PyPI.

*Exact* means: the dot value in forward mode agrees with a difference quotient of order 10 to the tolerance in the table (relative
to derivative or value, or to 1 if these are smaller; the quotient is what limits it), the recording gives the same derivative as forward mode to
10⁻¹² unless the table says otherwise, both sweeps over the tape agree, and nothing is reported. Adaptive algorithms are
differentiated as they run, with the steps that they have chosen.

*Reported* means: the derivative is zero, and the summary at the end of the run says so.
"""


def rows(group):
    yield f"\n## {group}\n"
    yield "| what | tolerance | forward against tape |"
    yield "| --- | --- | --- |"
    for case in cases.CASES.values():
        if case.group == group:
            what = case.name.partition(": ")[2].replace("|", "\\|").replace("*", "\\*")
            yield f"| {what} | {case.tolerance:.0e} | {case.agreement:.0e} |"


def reported(heading, column):
    yield f"\n## {heading}\n"
    yield f"| what | {column} |"
    yield "| --- | --- |"
    for case in cases.CASES.values():
        yield f"| {case.name.partition(': ')[2]} | {case.counted or 'nothing'} |"


def main():
    print(HEAD, end="")
    for module in ("core_cases", "numpy_cases", "scipy_cases"):
        importlib.import_module(module)
    for group in dict.fromkeys(case.group for case in cases.CASES.values()):
        print("\n".join(rows(group)))
    for module, heading in (("reported_cases", "Reported"), ("silent_cases", "Known limits that are not reported")):
        cases.CASES.clear()
        importlib.import_module(module)
        print("\n".join(reported(heading, "the summary names")))


main()
