"""The gates that read sources. Each yields one line per finding; none means that it holds."""
import os
import re

import tree

FUNCTION_LINES, FILE_LINES, COLUMNS = 60, 600, 100
README_LINES, FIRST_README_LINES = 25, 120
MACHINE_LINES, MACHINES = 2000, ("common/secagg/", "common/round/")   # a machine stays whole
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
STANDARD = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp
    signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath
    wchar wctype immintrin""".split())


def _rules(root):
    allowed, owned, pure = {}, {}, []
    for line in tree.read(root, "tests/gate/rules.txt").split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "pure":
            pure += words[1:]
        elif words[1] == ":":
            allowed[words[0]] = tuple(words[2:])
        else:
            owned[words[0]] = tuple(words[2:])
    return allowed, owned, tuple(pure)


def _include(path, style, name, rules):
    allowed, owned, pure = rules
    base = os.path.basename(name)
    if style == '"':
        prefixes = [prefix for prefix in allowed if path.startswith(prefix)]
        if not prefixes:
            return f"no rule speaks for {path}; add one to tests/gate/rules.txt"
        if not name.startswith(allowed[max(prefixes, key=len)]):
            return f"{path} may not include {name}"
    if style == "<" and base in owned and not path.startswith(owned[base]):
        return f"{path} may not see {name}; only {' '.join(owned[base])} may"
    known = base in owned or base == "banned.h" or name[:-2] in STANDARD
    if style == "<" and path.startswith(pure) and path != "common/base/banned.h" and not known:
        return f"{path} is pure and may not see <{name}>"
    return None


def includes(root, _build):
    """House 2.3: who may include whom."""
    rules = _rules(root)
    for path in tree.sources(root):
        if path.startswith("tests/") or path.endswith("/main.c"):
            continue
        for number, line in tree.lines(tree.read(root, path)):
            match = INCLUDE.match(line)
            problem = match and _include(path, match.group(1), match.group(2), rules)
            if problem:
                yield f"{path}:{number}: {problem}"


def _long_functions(path, text):
    start, opened = 0, 0
    for number, line in tree.lines(tree.code(text)):
        if line == "{" and start:
            opened = start
        elif line.startswith("}"):
            if opened and number - opened + 1 > FUNCTION_LINES:
                yield f"{path}:{opened}: a function of {number - opened + 1} lines"
            start, opened = 0, 0
        elif re.match(r"[A-Za-z_]\w*\(", line) and not opened:
            start = number
        elif not line.strip() and not opened:
            start = 0


def lengths(root, _build):
    """Functions of at most 60 lines, files of at most 600 (a machine: 2,000), 100 columns."""
    for path in tree.files(root):
        if not path.endswith((".c", ".h", ".def", ".py", "CMakeLists.txt")):
            continue
        text = tree.read(root, path)
        most = MACHINE_LINES if path.startswith(MACHINES) else FILE_LINES
        if text.count("\n") > most:
            yield f"{path}: {text.count(chr(10))} lines, at most {most}"
        for number, line in tree.lines(text):
            if len(line) > COLUMNS:
                yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS}"
        if path.endswith((".c", ".h")):
            yield from _long_functions(path, text)


def _guard(path):
    """FL_<FOLDER>_<NAME>_H; common and tests go without saying."""
    parts = path[:-2].removeprefix("common/").removeprefix("tests/").split("/")
    return "FL_" + "_".join(parts).upper().replace("-", "_") + "_H"


def form(root, _build):
    """Comments as sentences behind //, headers that say what they are, no stray blanks."""
    for path in tree.sources(root):
        text = tree.read(root, path)
        for number, line in tree.lines(text):
            if line != line.rstrip() or "\t" in line:
                yield f"{path}:{number}: a tab, or blanks at the end of the line"
        if "/*" in re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*', "", text):
            yield f"{path}: a block comment; write // sentences"
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield f"{path}: must end with one newline"
        if path.endswith(".h"):
            name = os.path.basename(path)[:-2]
            if not text.startswith(f"//  {name} - "):
                yield f"{path}:1: a header starts with `//  {name} - ` and one sentence"
            if f"#ifndef {_guard(path)}\n#define {_guard(path)}\n" not in text:
                yield f"{path}: its guard must be {_guard(path)}"


# Put together here, so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
PLACES = re.compile("|".join(("/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", r"\.\./sha" + "red",
                              "/tmp/" + "b-")))


def marks(root, _build):
    """Nothing left over: no marks, no dead code, no path of one machine, no bound without use."""
    for path in tree.files(root):
        if path == "LICENSE" or not tree.is_text(root, path):
            continue
        for number, line in tree.lines(tree.read(root, path)):
            if MARKS.search(line):
                yield f"{path}:{number}: left over: {line.strip()}"
            if PLACES.search(line):
                yield f"{path}:{number}: a path of one machine: {line.strip()}"
            if path.endswith((".c", ".h")) and re.match(r"\s*#\s*if\s+[01]\b", line):
                yield f"{path}:{number}: dead code: {line.strip()}"
    limits = "common/base/limits.h"
    used = "\n".join(tree.code(tree.read(root, path)) for path in tree.sources(root)
                     if path != limits and not path.startswith("tests/"))
    for name in re.findall(r"\bFL_\w+(?= = )", tree.read(root, limits)):
        if not re.search(rf"\b{name}\b", used):
            yield f"{limits}: left over: nothing holds to {name}"


BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|rand|srand|time|gmtime|"
                    r"localtime|ctime|asctime|alloca|system|popen|tmpnam|mktemp|gets)\s*\(")
SLEEP = re.compile(r"(?<![\w.>])(sleep|usleep|nanosleep|socket|bind|connect)\s*\(")


def banned(root, _build):
    """The calls of banned.h, in tests too; no sleep and no socket in a unit test."""
    for path in tree.sources(root):
        if path == "common/base/banned.h":
            continue
        for number, line in tree.lines(tree.code(tree.read(root, path))):
            match = BANNED.search(line)
            if not match and path.startswith("tests/unit/"):
                match = SLEEP.search(line)
            if match:
                yield f"{path}:{number}: {match.group(1)}() is banned"


NAMES = r"\b(wire_bytes|ring_bits)\b"
WIDTH = re.compile(rf"[*/%]\s*[\w.>()-]*{NAMES}|{NAMES}\s*[*/%]")
WIDE = ("common/tensor/", "common/crypto/mask", "common/wire/message.c")


def widths(root, _build):
    """How wide an element is: tensor/element.h is asked, nobody multiplies by a width himself."""
    for path in tree.sources(root):
        if path.startswith("tests/") or path.startswith(WIDE):
            continue
        for number, line in tree.lines(tree.code(tree.read(root, path))):
            if WIDTH.search(line):
                yield f"{path}:{number}: ask fl_element_bytes: {line.strip()}"


TOP = {"CMakeLists.txt", "CMakePresets.json", "README.md", "CHANGELOG.md", "LICENSE", "cloud",
       "edge", "device", "common", "python", "deploy", "tests", "docs"}


def layout(root, _build):
    """The top level is exactly what it should be."""
    found = {name for name in os.listdir(root) if not name.startswith(".") and name != "build"}
    for name in sorted(found - TOP):
        yield f"{name}: does not belong at the top level"
    for name in sorted(TOP - found):
        yield f"{name}: is missing at the top level"


def readmes(root, _build):
    """Each folder says what lives in it, in 25 lines; the first README in 120, with the tree."""
    paths = tree.files(root)
    folders = {"/".join(path.split("/")[:depth]) for path in paths for depth in (1, 2)
               if path.count("/") >= depth}
    for folder in sorted(folders):
        path = f"{folder}/README.md"
        if folder.startswith((".", "tests/golden/", "tests/fuzz/")):
            continue
        if path not in paths:
            yield f"{path}: is missing"
        elif tree.read(root, path).count("\n") > README_LINES:
            yield f"{path}: longer than {README_LINES} lines"
    if "README.md" in paths:
        if tree.read(root, "README.md").count("\n") > FIRST_README_LINES:
            yield f"README.md: longer than {FIRST_README_LINES} lines"
        yield from _map(root, {path.split("/")[0] + "/" for path in paths if "/" in path})
    else:
        yield "README.md: is missing"


def _map(root, folders):
    """The map is every line of a code block that begins with a folder's name and a slash."""
    text = tree.read(root, "README.md")
    blocks = "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    named = set(re.findall(r"^([a-z]+/)(?:\s|$)", blocks, re.MULTILINE))
    folders = {folder for folder in folders if not folder.startswith(".")}
    for folder in sorted(folders - named):
        yield f"README.md: its map does not show {folder}"
    for folder in sorted(named - folders):
        yield f"README.md: its map shows {folder}, which is not there"


def states(root, _build):
    """docs/states.md names the states of each machine as the code does, and tells each one."""
    path = "docs/states.md"
    if path not in tree.files(root):
        yield f"{path}: is missing"
        return
    for section in re.split(r"^## ", tree.read(root, path), flags=re.MULTILINE)[1:]:
        title = section.split("\n")[0]
        said = re.search(r"^States of `(\w+)` in `([^`]+)`: (.*?)\n\n", section, re.S | re.M)
        if not said:
            yield f"{path}: {title}: does not say what its states are"
            continue
        named = re.findall(r"`(\w+)`", said.group(3))
        told = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        told |= set(re.findall(r"^\|[^|]*\|[^|]*\| `(\w+)` \|", section, re.MULTILINE))
        coded = _enumerators(tree.read(root, said.group(2)), said.group(1))
        if named != coded:
            yield f"{path}: {title}: names {named}, the code has {coded}"
        if told != set(named):
            yield f"{path}: {title}: tells {sorted(told ^ set(named))} in one place only"


def _enumerators(text, name):
    """The constants of an enum, without what their names share and without the count at the end."""
    body = re.search(r"typedef enum \w* ?\{([^}]*)\} %s;" % name, text)
    words = re.findall(r"^\s*([A-Z_]+)(?=,|\s|$)", re.sub(r"//[^\n]*|,", "\n", body.group(1)),
                       re.MULTILINE) if body else []
    shared = os.path.commonprefix(words)
    shared = shared[:shared.rfind("_") + 1]
    counts = ("PHASES", "_STATES")
    return [word[len(shared):].lower() for word in words if not word.endswith(counts)]


ALARM = re.compile(r'FL_NOTED\((\w+), "[a-z-]+", (?:WARN|ERROR)'
                   r'|fl_log\([^,;]*FL_LOG_(?:WARN|ERROR)[^,;]*,\s*"([a-z-]+)"')


def logs(root, _build):
    """docs/operating.md says what to do about each log line at warn or error and no other."""
    path = "docs/operating.md"
    text = tree.read(root, path)
    told = set(re.findall(r"^\| `([a-z-]+)`[^|]*\| (?:warn|error)", text, re.MULTILINE))
    coded = set()
    for source in tree.files(root):
        if source.endswith((".c", ".def")) and not source.startswith("tests/"):
            coded |= {(note or line).lower().replace("_", "-")
                      for note, line in ALARM.findall(tree.read(root, source))}
    for name in sorted(coded - told):
        yield f"{path}: does not tell what to do about the log line {name}"
    for name in sorted(told - coded - {"masking"}):     # info, but a warning when aborted
        yield f"{path}: tells of the log line {name}, which is nowhere"


SHOWN = re.compile(r"`(?!crypto_|fl_)([a-z]+(?:_[a-z0-9]+){4,})`|\b([a-z]+(?:_[a-z0-9]+)+)_?…")
NAMED = re.compile(r"`((?:docs|common|cloud|edge|device|tests)/[\w./-]*[a-z0-9])/?`")


def _anchors(text):
    """What GitHub makes of the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(root, _build):
    """A page names files, headings and tests that are there; decisions tell of older trees."""
    paths = set(tree.files(root))
    tests = "\n".join(tree.read(root, path) for path in sorted(paths)
                      if path.startswith("tests/") and path.endswith((".c", ".py")))
    folders = {path[:at.start()] for path in paths for at in re.finditer("/", path)}
    for path in sorted(paths):
        if not path.endswith(".md") or path.startswith("docs/decisions/0"):
            continue
        text = tree.read(root, path)
        for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
            target = os.path.normpath(os.path.join(os.path.dirname(path), link)) if link else path
            if target not in paths:
                yield f"{path}: links to {link}, which is not there"
            elif anchor and anchor not in _anchors(tree.read(root, target)):
                yield f"{path}: links to {link}#{anchor}, which has no such heading"
        for name in NAMED.findall(text):
            if name not in paths | folders and f"{name}.h" not in paths:
                yield f"{path}: names {name}, which is not there"
        for whole, begin in SHOWN.findall(text):
            if not re.search(rf"^(?:def )?{whole}\(" if whole else rf"^(?:def )?{begin}\w*\(",
                             tests, re.MULTILINE):
                yield f"{path}: names the test {whole or begin}, which is not there"


FIGURE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
TRIAL = re.compile(FIGURE.pattern + r"(?= ?(?:ms|s|min|minutes|hours|seeds|inputs|%)\b)")
CAMPAIGN = re.compile(r"\[([a-z]+-\d+)\]")


def _plain(root, path):
    """A document without the commas of its numbers; nothing when it is not there."""
    text = tree.read(root, path) if path in tree.files(root) else ""
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


def _shown(root):
    """What each line of docs/campaigns.md shows. A campaign that failed shows no figure."""
    rows = re.findall(r"^\| ([a-z]+-\d+) \|[^|]*\|[^|]*\|(.*)\|$",
                      _plain(root, "docs/campaigns.md"), re.MULTILINE)
    return {name: [] if "| FAILED" in text else [float(one) for one in FIGURE.findall(text)]
            for name, text in rows}


def claims(root, _build):
    """A section of the README names the campaigns, as [bench-1], whose lines show its figures:
    all numbers under «Measured», and elsewhere each time and each count of trials."""
    shown = _shown(root)
    for section in re.split(r"^## ", _plain(root, "README.md"), flags=re.MULTILINE):
        where, names = "README.md: " + section.split("\n")[0], set(CAMPAIGN.findall(section))
        for name in sorted(names - set(shown)):
            yield f"{where}: no line of docs/campaigns.md is {name}"
        known = [figure for name in names for figure in shown.get(name, ())]
        said = re.sub(r"^```.*?^```|`[^`\n]*`|" + CAMPAIGN.pattern, "", section, flags=re.M | re.S)
        for figure in (FIGURE if where.endswith(" Measured") else TRIAL).findall(said):
            if figure not in [f"{one:.{len(figure.partition('.')[2])}f}" for one in known]:
                yield f"{where}: no campaign that it names shows {figure}"
