"""Runs cases and writes what they give as JSON: run_cases.py FILE MODULE,... [NAME].

Natively: values and derivatives by differences. In forward mode: values and dot values. Recorded: values, and how many inputs
and outputs each case has declared.
"""

import importlib
import json
import sys

import cases
import derivgrind


def run(case):
    x = case.argument(case.x)
    mode = derivgrind.mode()
    if mode == "forward":
        if case.is_array:
            derivgrind.set_dotvalue(x, case.dx)
        else:
            x = [derivgrind.set_dotvalue(number, dot) for number, dot in zip(x, case.dx)]
    elif mode == "recording":
        x = derivgrind.inputf(x) if case.is_array else [derivgrind.inputf(number) for number in x]
    numbers = cases.flat(case.function(x))
    if mode == "forward":
        dots = [derivgrind.get_dotvalue(number) for number in numbers]
    elif mode == "recording":
        dots = None
        for number in numbers:
            derivgrind.outputf(number)
    else:
        dots = case.derivative()
    return {"values": [passive(number) for number in numbers], "dots": dots}


def passive(number):
    """The same number without its derivative, so that the conversion to text is not counted."""
    if derivgrind.mode() == "forward":
        return derivgrind.set_dotvalue(number, 0.0)
    if derivgrind.mode() == "recording":
        return derivgrind.set_index(number, 0)
    return number


def main():
    path, modules, *names = sys.argv[1:]
    for module in modules.split(","):
        importlib.import_module(module)
    wanted = [cases.CASES[name] for name in names] or [case for case in cases.CASES.values() if not case.counted]
    results = {}
    for case in wanted:
        try:
            results[case.name] = run(case)
        except Exception as error:
            raise RuntimeError(f"case {case.name}") from error
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file)


main()
