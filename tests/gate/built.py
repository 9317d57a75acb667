"""The gates that look at a build: what the archives ask for, whether every source is built, and
whether the programs take what the documents show."""
import json
import os
import re
import subprocess
import tempfile

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
    """Every .c of the tree is part of some target, every mutant of some test."""
    home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$",
                     tree.read(build, "CMakeCache.txt"), re.MULTILINE).group(1)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        built = {os.path.relpath(entry["file"], home) for entry in json.load(file)}
    recipe = (tree.read(root, "CMakeLists.txt") +
              tree.read(root, "tests/mutants/mutants.cmake"))
    for path in tree.files(root):
        # A fuzzer is built only by the asan preset; then the recipe must name it.
        if path.endswith(".c") and path not in built and path not in recipe:
            yield f"{path}: is in no target"
        name = re.fullmatch(r"tests/mutants/(.+)\.patch", path)
        if name and not re.search(rf"fl_mutant\([^ ]*\b{name[1]}[+ ]", recipe):
            yield f"{path}: is no mutant of any test"


COMMAND = re.compile(r"^ *((?:fl-root|edge-agg|fl-device|fl)(?= [^\"])"
                     r"(?:\\\n|[^\\\n#&;<>|])*)", re.MULTILINE)
CONFIGURED = {"root": "fl-root", "edge": "edge-agg", "device": "fl-device"}


def _shown(text):
    """The blocks of shell and of settings of a document or a manual page."""
    text = text.replace("\\-", "-").replace("\\e\n", "\\\n")
    return (re.findall(r"^(?:```sh|\.nf)\n(.*?)^(?:```|\.fi)$", text, re.DOTALL | re.MULTILINE),
            re.findall(r"^```yaml\n(# (\w+)\.yaml.*?)^```$", text, re.DOTALL | re.MULTILINE))


def _run(build, *words):
    return subprocess.run([os.path.join(build, "bin", words[0]), *words[1:]], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout


def examples(root, build):
    """Each program takes the flags and the settings that the documents show for it."""
    for path in tree.files(root):
        if not path.endswith((".md", ".tail")):
            continue
        shells, settings = _shown(tree.read(root, path))
        for command in COMMAND.findall("".join(shells)):
            words = command.replace("\\\n", " ").split(" -- ")[0].split()
            flags = [word.split("=")[0] for word in words if word.startswith("--")]
            said = _run(build, *words[:words.index(flags[0])] if flags else words, "--help")
            for flag in flags or ["usage:"]:
                if not re.search(rf"^ *{flag}(?= )", said, re.MULTILINE):
                    yield f"{path}: {words[0]} does not take this: {command.strip()}"
        for text, kind in settings:
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(text)
                file.flush()
                said = (_run(build, "fl", "run", "submit", file.name, "--name", "a", "--check")
                        if kind == "run" else
                        _run(build, CONFIGURED[kind], "--config", file.name, "--check-config"))
            if "are fine" not in said:
                yield f"{path}: {kind}.yaml: {said.strip()}"
