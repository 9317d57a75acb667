"""The interpreter that has numpy, flwr, scikit-learn and the wheel: made by tests/python/setup. A
test begins with enter(); where it is missing the test is skipped by name, and fails in CI."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PYTHON = os.path.join(ROOT, "build", "python", "venv", "bin", "python")
EXAMPLES = os.path.join(ROOT, "docs", "examples")


def enter():
    if os.path.abspath(sys.executable) == PYTHON:
        return
    if os.access(PYTHON, os.X_OK):
        os.execv(PYTHON, [PYTHON, "-W", "ignore", *sys.argv])
    print(f"{sys.argv[0]}: SKIPPED: no frameworks here, tests/python/setup makes them")
    sys.exit(1 if os.environ.get("CI") else 77)
