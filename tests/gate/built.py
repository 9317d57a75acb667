"""The gates that look at a build: what the archives ask for, and whether every source is built."""
import json
import os
import re
import subprocess

import tree


def _allowed(root):
    lists = {}
    for line in tree.read(root, "tests/gate/purity.txt").split("\n"):
        words = line.split()
        if words and not words[0].startswith("#"):
            lists.setdefault(words[0], []).extend(words[2:])
    return lists


def _fits(symbol, member, names):
    for name in names:
        plain, _, bound = name.partition("@")
        if bound and not member.startswith(bound + "."):
            continue
        if symbol == plain or (plain.endswith("*") and symbol.startswith(plain[:-1])):
            return True
    return False


def _undefined(archive):
    """(member, symbol) of everything that an archive asks of others."""
    answer = subprocess.run(["nm", "-A", "-u", archive], capture_output=True, text=True, check=True)
    for line in answer.stdout.split("\n"):
        match = re.match(r"[^:]+:([^:]+):\s+[Uw]\s+(\S+)", line)
        if match:
            yield match.group(1), match.group(2)


def purity(root, build):
    """The sans-I/O archives ask for memory, strings and arithmetic, and for nothing else."""
    lists = _allowed(root)
    shared = lists.pop("all") + lists.pop("build")
    for layer, names in lists.items():
        archive = os.path.join(build, f"libfl_{layer}.a")
        if not os.path.exists(archive):
            yield f"libfl_{layer}.a: is not in {build}; build it first"
            continue
        for member, symbol in _undefined(archive):
            hardened = re.fullmatch(r"__(\w+)_chk", symbol)     # _FORTIFY_SOURCE's name of it
            plain = hardened.group(1) if hardened else symbol
            if not plain.startswith("fl_") and not _fits(plain, member, shared + names):
                yield f"libfl_{layer}.a({member}): asks for {symbol}"


def targets(root, build):
    """Every .c of the tree is part of some target."""
    home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$",
                     tree.read(build, "CMakeCache.txt"), re.MULTILINE).group(1)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        built = {os.path.relpath(entry["file"], home) for entry in json.load(file)}
    recipe = tree.read(root, "CMakeLists.txt")
    for path in tree.files(root):
        # A fuzzer is built only by the fuzz preset; then the recipe must name it.
        if path.endswith(".c") and path not in built and path not in recipe:
            yield f"{path}: is in no target"
