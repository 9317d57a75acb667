"""What every gate shares: the files of the tree, C without its comments, and findings."""
import os
import re

SKIPPED = {".git", "build", "__pycache__", ".cache", ".vscode"}
TEXT = (".c", ".h", ".def", ".py", ".sh", ".txt", ".md", ".yaml", ".yml", ".json", ".cmake", "")


def files(root):
    """Every file of the tree as a path relative to it, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED)
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def sources(root):
    """The C of the tree."""
    return [path for path in files(root) if path.endswith((".c", ".h"))]


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_text(root, path):
    """A file for people: no corpus, no vector, nothing with a zero byte."""
    vectors = path.startswith(("tests/fuzz/corpus/", "tests/golden/"))
    if vectors and not path.endswith((".c", ".md")):
        return False
    if os.path.splitext(path)[1] not in TEXT or os.path.islink(os.path.join(root, path)):
        return False
    with open(os.path.join(root, path), "rb") as file:
        return b"\0" not in file.read(4096)


STRIP = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code(text):
    """C with comments and the insides of strings blanked; lines stay where they are."""
    def blank(match):
        piece = match.group(0)
        kept = piece[0] if piece[0] in "\"'" else " "
        return kept + re.sub(r"[^\n]", " ", piece[1:-1]) + kept
    return STRIP.sub(blank, text)


def lines(text):
    """(number, line) from 1."""
    return enumerate(text.split("\n"), 1)
