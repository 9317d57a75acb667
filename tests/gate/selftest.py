#!/usr/bin/env python3
"""selftest.py [--build DIR]: plant one violation per rule in a copy of the tree and see that its
gate finds exactly that. A gate that cannot find anything is worse than none."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree  # noqa: E402
from gate import GATES  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = "build/dev"
LONG_FUNCTION = "\nint\nfl_long(void)\n{\n" + "    ;\n" * 60 + "    return 0;\n}\n"
HEADER = "//  %s - a plant.\n#ifndef FL_BASE_%s_H\n#define FL_BASE_%s_H\n\n#endif\n"

# (gate, file, what is appended to it; None: the file is removed, what the finding must say)
PLANTS = [
    ("includes", "common/wire/message.h", '#include "common/crypto/hash.h"\n', "may not include"),
    ("includes", "common/machine/event.h", '#include "common/wire/codec.h"\n', "may not include"),
    ("includes", "common/net/reactor.c", '#include "common/runtime/node.h"\n', "may not include"),
    ("includes", "common/tensor/plant.c", '#include "common/wire/message.h"\n', "may not include"),
    ("includes", "common/store/file.c", "#include <czmq.h>\n", "may not see czmq.h"),
    ("includes", "device/plant.c", "#include <pthread.h>\n", "may not see pthread.h"),
    ("includes", "common/config/conf.c", "#include <sqlite3.h>\n", "may not see sqlite3.h"),
    ("includes", "common/round/plant.c", "#include <sys/socket.h>\n", "is pure"),
    ("includes", "edge/process.c", '#include "cloud/root.h"\n', "may not include"),
    ("includes", "edge/edge.c", '#include "common/store/file.h"\n', "may not include"),
    ("includes", "device/trainer_builtin.c", '#include "common/net/socket.h"\n', "may not include"),
    ("includes", "common/nowhere/plant.c", '#include "common/base/id.h"\n', "no rule speaks"),
    ("lengths", "common/base/id.c", LONG_FUNCTION, "a function of 64 lines"),
    ("lengths", "common/base/plant.c", "//\n" * 601, "601 lines"),
    ("lengths", "common/base/id.h", "//" + "x" * 99 + "\n", "101 columns"),
    ("form", "common/base/id.c", "int x; \n", "blanks at the end"),
    ("form", "common/base/id.c", "/* so */\n", "a block comment"),
    ("form", "common/base/id.c", "\n", "one newline"),
    ("form", "common/base/plant.h", HEADER % ("else", "PLANT", "PLANT"), "`//  plant - `"),
    ("form", "common/base/plant.h", HEADER % ("plant", "ELSE", "ELSE"), "FL_BASE_PLANT_H"),
    ("marks", "docs/plant.md", "TO" + "DO: later\n", "left over"),
    ("marks", "deploy/plant", "cd /ho" + "me/me\n", "a path of one machine"),
    ("marks", "common/base/limits.h", "enum { FL_PLANT_MAX = 8 };\n", "nothing holds to FL_PLANT"),
    ("marks", "common/base/id.c", "#if 0\n#endif\n", "dead code"),
    ("banned", "tests/unit/base/plant.c", "void f(char *a) { strcpy(a, \"\"); }\n", "strcpy()"),
    ("banned", "tests/unit/base/plant.c", "void f(void) { usleep(1); }\n", "usleep()"),
    ("widths", "common/round/uploads.c", "int x = n * plan->wire_bytes;\n", "fl_element_bytes"),
    ("widths", "edge/edge.c", "int x = plan.ring_bits / 8;\n", "fl_element_bytes"),
    ("layout", "tools/plant", "x\n", "does not belong"),
    ("layout", "LICENSE", None, "is missing"),
    ("readmes", "common/base/README.md", None, "is missing"),
    ("readmes", "common/base/README.md", "line\n" * 26, "longer than"),
    ("readmes", "README.md", "\n" * 121, "longer than 120"),
    ("states", "docs/states.md", "\n## Plant\n\nNothing.\n", "does not say"),
    ("states", "docs/states.md", "\n## Plant\n\nStates of `phase` in `edge/edge.c`: `idle`\n\n"
     "| `idle` |\n", "the code has"),
    ("states", "docs/states.md", "\n## Plant\n\nStates of `phase` in `device/device.c`: `idle` · "
     "`training` · `encoding`\n\n| `idle` |\n", "in one place only"),
    ("states", "docs/states.md", None, "is missing"),
    ("links", "README.md", "[x](docs/plant.md)\n", "links to docs/plant.md, which is not"),
    ("links", "README.md", "[x](docs/style.md#plant)\n", "no such heading"),
    ("links", "docs/glossary.md", "`common/base/plant.h`\n", "names common/base/plant.h"),
    ("links", "docs/threat-model.md", "`a_plant_is_found_by_nobody`\n", "names the test a_plant"),
    ("logs", "edge/process.c", "int x = fl_log(FL_LOG_WARN, \"plant\");\n", "about the log"),
    ("logs", "docs/operating.md", "| `plant` | error | x | y |\n", "nowhere"),
    ("examples", "README.md", "```sh\nfl status --plant x\n```\n", "does not take"),
    ("examples", "docs/operating.md", "```yaml\n# edge.yaml\nplant: 1\n```\n", "unknown key"),
    ("claims", "README.md", "\n## Plant\n\nIt takes 7 ms.\n", "Plant: no campaign that it names"),
    ("claims", "README.md", "\n## Plant\n\nIt outlived 7,000 seeds [bench-1].\n", "shows 7000"),
    ("claims", "README.md", "\n## Measured\n\nAccuracy 0.9 [bench-1].\n", "shows 0.9"),
    ("claims", "README.md", "\n## Plant\n\nIt is fast [plant-1].\n", "is plant-1"),
    ("claims", "docs/campaigns.md", None, "is compose-1"),
    ("targets", "common/base/plant.c", "int fl_plant;\n", "is in no target"),
    ("targets", "tests/mutants/plant.patch", "", "is no mutant of any test"),
]

# Nothing of this may be found: words in comments and strings, members, longer names.
INNOCENT = """//  time(NULL) and strcpy(a, b) in a comment are words.
#include <string.h>
static const char text[] = "strcpy(a) /* and */ time(0)";
void s_fine(struct clock *clock) { clock->time(1); fl_time(2); uptime(3); }
"""


def contents(path):
    """The bytes of a file; None when there is none."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def findings(gate, root, build):
    return list(GATES[gate](root, build))


class Plants(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="fl-gate-")
        self.addCleanup(shutil.rmtree, self.root)
        for path in tree.files(ROOT):
            os.makedirs(os.path.join(self.root, os.path.dirname(path)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, path), os.path.join(self.root, path),
                        follow_symlinks=False)

    def plant(self, path, text):
        full = os.path.join(self.root, path)
        if text is None:
            if os.path.exists(full):
                os.remove(full)
            return
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "a", encoding="utf-8") as file:
            file.write(text)

    def test_every_plant_is_found(self):
        before = {gate: set(findings(gate, self.root, BUILD)) for gate in GATES}
        for gate, path, text, said in PLANTS:
            with self.subTest(gate=gate, said=said):
                full = os.path.join(self.root, path)
                kept = contents(full)
                self.plant(path, text)
                fresh = set(findings(gate, self.root, BUILD)) - before[gate]
                missing = text is None and kept is None
                self.assertTrue(missing or any(said in line for line in fresh), fresh)
                if kept is None and text is not None:
                    os.remove(full)
                elif kept is not None:
                    with open(full, "wb") as file:
                        file.write(kept)

    def test_an_innocent_file_is_let_through(self):
        for gate in ("banned", "marks", "form", "lengths"):
            before = findings(gate, self.root, BUILD)
            self.plant("tests/unit/base/innocent.c", INNOCENT)
            self.assertEqual(findings(gate, self.root, BUILD), before)
            self.plant("tests/unit/base/innocent.c", None)

    def test_a_folder_off_the_map_is_found(self):
        with open(os.path.join(self.root, "README.md"), "w", encoding="utf-8") as file:
            file.write("# x\n```\ncommon/  what is shared\nmoon/  far away\n```\n")
        fresh = "\n".join(findings("readmes", self.root, BUILD))
        self.assertIn("does not show edge/", fresh)
        self.assertIn("shows moon/", fresh)
        self.assertNotIn("does not show common/", fresh)

    def test_a_campaign_shows_its_figures_unless_it_failed(self):
        before = findings("claims", self.root, BUILD)
        self.plant("README.md", "\n## Plant\n\nIt outlived 7,000 seeds in 3 s [plant-1].\n")
        self.plant("docs/campaigns.md", "| plant-1 | d | c | m | x | 7,000 seeds, 3.04 s |\n")
        self.assertEqual(findings("claims", self.root, BUILD), before)
        self.plant("README.md", "[plant-2] took 9 s.\n")
        self.plant("docs/campaigns.md", "| plant-2 | d | c | m | x | FAILED: 9 s |\n")
        self.assertIn("shows 9", "".join(findings("claims", self.root, BUILD)))

    def test_a_clock_in_a_pure_archive_is_found(self):
        build = os.path.join(self.root, "planted-build")
        os.makedirs(build)
        source = os.path.join(build, "aggregator.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <time.h>\n#include <stdio.h>\n"
                       "long fl_now(void) { puts(\"x\"); return (long)time(NULL); }\n")
        subprocess.run(["cc", "-O0", "-c", source, "-o", source[:-1] + "c.o"], check=True)
        subprocess.run(["ar", "rc", os.path.join(build, "libfl_round.a"), source[:-1] + "c.o"],
                       check=True)
        fresh = "\n".join(findings("purity", self.root, build))
        self.assertIn("libfl_round.a(aggregator.c.o): asks for time", fresh)
        self.assertIn("libfl_round.a(aggregator.c.o): asks for puts", fresh)
        self.assertIn("libfl_wire.a: is not in", fresh)

    def test_every_gate_has_a_plant(self):
        self.assertEqual(set(GATES), {plant[0] for plant in PLANTS} | {"purity"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, rest = parser.parse_known_args()
    BUILD = options.build
    unittest.main(argv=[sys.argv[0]] + rest)
