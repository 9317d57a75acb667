"""The ledger's SQL is the subset that SQLite and PostgreSQL both read (docs/decisions/0017): a
PostgreSQL in single-user mode, with no port and no socket, takes the tables and prepares every
statement of the store. The statements are the string literals of the preprocessed sources."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from fabric import Skip, expect, main

LITERALS = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*')
VERB = re.compile(r"(SELECT|INSERT|UPDATE|DELETE) ")
NOBODY = 65534    # PostgreSQL refuses to be root
DEBIAN = "/usr/lib/postgresql/*/bin/initdb"


def _preprocessed(path):
    return subprocess.run(["cc", "-E", "-P", "-I.", path], capture_output=True, text=True,
                          check=True).stdout


def _joined(literals):
    """Adjacent literals as the one text that C makes of them."""
    return "".join(part.encode().decode("unicode_escape")
                   for part in re.findall(r'"((?:[^"\\]|\\.)*)"', literals))


def _schema():
    """The statements of the road that an empty ledger takes, in their order."""
    source = _preprocessed("common/store/ledger_schema.c")
    texts = dict(re.findall(r"static const char (\w+)\[\] =\s*(" + LITERALS.pattern + ")", source))
    steps = re.findall(r"\{ (\d+), (\d+), (\w+) \}", source)
    version, road = "0", []
    while any(step[0] == version for step in steps):
        taken = [step for step in steps if step[0] == version]
        road += [_joined(texts[name]) for _, _, name in taken]
        version = taken[-1][1]
    return [one.strip() for text in road for one in text.split(";") if one.strip()]


def _statements():
    """(all statements of the store, the number of places that make one)"""
    found, places = set(), 0
    for path in sorted(glob.glob("common/store/ledger*.c")):
        if path.endswith("schema.c"):
            continue
        source = _preprocessed(path)
        texts = [_joined(run.group()) for run in LITERALS.finditer(source)]
        found |= {text for text in texts if VERB.match(text)}
        with open(path, encoding="ascii") as file:
            places += file.read().count("fl_query_of(")
    return sorted(found), places


def _numbered(statement):
    """With $1, $2 .. for the question marks."""
    parts = statement.split("?")
    return "".join(part + (f"${at}" if at < len(parts) else "") for at, part in enumerate(parts, 1))


class Server:
    """A cluster in a directory of its own."""

    def __init__(self, base):
        found = shutil.which("initdb") or max(glob.glob(DEBIAN), default=None)
        if found is None:
            raise Skip("no PostgreSQL here; on Debian: apt-get install postgresql")
        self.programs = os.path.dirname(found)
        self.data = os.path.join(base, "data")
        self.who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        if self.who:
            os.chown(base, NOBODY, NOBODY)
        self.base = base
        self._run("initdb", "-D", self.data, "--no-locale", "-E", "UTF8", "-N", "-A", "reject")

    def _run(self, program, *words, text=""):
        done = subprocess.run([os.path.join(self.programs, program), *words], input=text,
                              text=True, capture_output=True, timeout=60, check=False,
                              cwd=self.base, **self.who)
        expect(done.returncode == 0, f"{program}: {done.stderr}")
        return done.stderr

    def wrong(self, statements):
        """What it says against them, one line each."""
        said = self._run("postgres", "--single", "-F", "-D", self.data, "postgres",
                         text="".join(" ".join(one.split()) + "\n" for one in statements))
        return re.findall(r"(?:ERROR|FATAL|PANIC): .*|STATEMENT: .*", said)


def postgresql_reads_the_tables_and_every_statement_of_the_ledger():
    statements, places = _statements()
    expect(len(statements) >= places > 40, f"{len(statements)} statements in {places} places")
    prepared = [f"PREPARE s{at} AS {_numbered(one)}" for at, one in enumerate(statements)]
    with tempfile.TemporaryDirectory(prefix="fl-") as base:
        server = Server(base)
        tables = ["CREATE DOMAIN BLOB AS BYTEA", *_schema()]
        wrong = server.wrong([*tables, *prepared])
        expect(wrong == [], "\n".join(wrong))
        bad = server.wrong(["PREPARE bad AS SELECT rowid FROM run WHERE run=$1", prepared[0]])
        expect(any("rowid" in line for line in bad), f"it would not have said so: {bad}")


if __name__ == "__main__":
    main([postgresql_reads_the_tables_and_every_statement_of_the_ledger])
