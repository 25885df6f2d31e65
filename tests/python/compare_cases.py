"""Compares what run_cases.py has written: compare_cases.py MODULES NATIVE FORWARD RECORDED TAPE. Prints what is wrong."""

import importlib
import json
import math
import sys

import cases


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def differences(what, found, expected, values, tolerance):
    """A sentence about the largest difference that is above the tolerance, relative to derivative and value."""
    if len(found) != len(expected):
        return [f"{what}: {len(found)} numbers instead of {len(expected)}"]
    scales = [max(1.0, abs(number), abs(value)) for number, value in zip(expected, values)]
    # A NaN counts as infinitely different.
    sizes = [abs(left - right) if left - right == left - right else math.inf for left, right in zip(found, expected)]
    wrong = [position for position, size in enumerate(sizes) if size > tolerance * scales[position]]
    if not wrong:
        return []
    worst = max(wrong, key=lambda position: sizes[position])
    return [
        f"{what}: {len(wrong)} of {len(found)} numbers, the worst is number {worst}: {found[worst]} instead of {expected[worst]}"
    ]


def bars(count):
    return [math.sin(3 + 5 * position) for position in range(count)]


def main():
    modules, native, forward, recorded, directory = sys.argv[1:]
    for module in modules.split(","):
        importlib.import_module(module)
    native, forward, recorded = read(native), read(forward), read(recorded)
    import derivgrind.tape

    tape = derivgrind.tape.open(directory)
    wanted = [cases.CASES[name] for name in native]
    tape_dots = tape.forward([dot for case in wanted for dot in case.dx]).tolist()
    output_bars = bars(len(tape_dots))
    input_bars = tape.reverse(output_bars).tolist()
    failures = 0
    for case in wanted:
        expected = native[case.name]
        count, inputs = len(expected["values"]), len(case.x)
        by_tape, tape_dots = tape_dots[:count], tape_dots[count:]
        bar, output_bars = output_bars[:count], output_bars[count:]
        gradient, input_bars = input_bars[:inputs], input_bars[inputs:]
        dots = forward[case.name]["dots"]
        left = sum(number * dot for number, dot in zip(bar, by_tape))
        right = sum(number * dot for number, dot in zip(gradient, case.dx))
        size = sum(abs(number * dot) for number, dot in zip(bar, by_tape))
        wrong = [
            *(["values"] if forward[case.name]["values"] != expected["values"] else []),
            *(["recorded values"] if recorded[case.name]["values"] != expected["values"] else []),
            *differences("dot values", dots, expected["dots"], expected["values"], case.tolerance),
            *differences("tape against forward mode", by_tape, dots, expected["values"], case.agreement),
            *([f"reverse {right}, forward {left}"] if not abs(left - right) <= case.agreement * max(1.0, size) else []),
            *(["all derivatives are zero"] if not any(expected["dots"]) else []),
        ]
        for sentence in wrong:
            print(f"{case.name}: {sentence}")
        failures += bool(wrong)
    print(f"{len(wanted)} cases, {failures} wrong")
    sys.exit(failures != 0)


main()
