#!/usr/bin/env python3
"""gate.py NAME... [--root DIR] [--build DIR]: run gates by name, or `all`; 1 when one finds
something, 2 when a name is wrong. `--list` prints the names."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import built  # noqa: E402
import gates  # noqa: E402

GATES = {gate.__name__: gate for gate in (
    gates.includes, gates.lengths, gates.form, gates.marks, gates.banned, gates.widths,
    gates.layout, gates.readmes, gates.states, gates.logs, gates.links, gates.claims,
    built.purity, built.targets, built.examples)}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--build", default="build/dev")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(GATES))
        return 0
    names = list(GATES) if options.names == ["all"] else options.names
    unknown = [name for name in names if name not in GATES]
    if unknown or not names:
        print(f"gate.py: no gate '{' '.join(unknown)}'; there are: {' '.join(GATES)}",
              file=sys.stderr)
        return 2
    findings = [f"{name}: {line}" for name in names
                for line in GATES[name](options.root, options.build)]
    print("\n".join(findings) if findings else f"{' '.join(names)}: nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
