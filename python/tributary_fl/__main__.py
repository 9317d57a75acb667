"""What a device of `local` starts: find a function again by file and name, serve what it makes."""
import importlib
import os
import runpy
import sys

from . import serve

if len(sys.argv) < 3:
    sys.exit("tributary_fl.local starts this")
where, name = sys.argv[1:3]
found = (runpy.run_path(where) if os.path.exists(where) else vars(importlib.import_module(where)))
serve(found[name](), sys.argv[3:])
