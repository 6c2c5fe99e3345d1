#!/usr/bin/env python3
"""pip-run.py COMMAND... <VARIABLES: run the pip that lies beside this file, with the Python that runs this file.

VARIABLES are NAME=VALUE, each ended by a NUL: what `${NAME}` in requirements files stands for. They come by standard
input, so that neither the process list nor the build of a package shows them.
"""
import dataclasses
import os
import sys

sys.path[0] = os.path.dirname(os.path.abspath(__file__))
variables = dict(pair.split("=", 1) for pair in sys.stdin.read().split("\0") if pair)

import pip_lines  # noqa: E402
from pip._internal.cli.main import main  # noqa: E402
from pip._internal.req import req_file  # noqa: E402

pip_lines.use_variables(variables)
original = req_file.handle_requirement_line


def handle_requirement_line(line, options=None):
    parsed = original(line, options)
    if not parsed.is_editable:
        return parsed
    return dataclasses.replace(parsed, requirement=pip_lines.plain(parsed.requirement), is_editable=False)


req_file.handle_requirement_line = handle_requirement_line
sys.exit(main())
