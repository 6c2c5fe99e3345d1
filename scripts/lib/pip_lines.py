"""What we change in the reading of requirements files, the same for the plan (pip-read.py) and for pip (pip-run.py)."""
import os

from pip._internal.exceptions import InstallationError
from pip._internal.req import req_file
from pip._internal.req.constructors import _strip_extras, parse_editable


def plain(requirement):
    """The requirement of `-e REQUIREMENT` without the -e: an image has no source folder that could be edited."""
    parse_editable(requirement)
    path, extras = _strip_extras(requirement)
    return os.path.abspath(path) + (extras or "") if os.path.isdir(path) else requirement


def use_variables(variables, used=None):
    """Replace `${NAME}` by these variables instead of the environment, which the build of a package can read.

    used takes the names that were asked for. A variable that is not set is an error; pip would leave it as it is.
    """

    def expand(lines):
        for number, line in lines:
            for text, name in req_file.ENV_VAR_RE.findall(line):
                if not variables.get(name):
                    raise InstallationError(f"line {number}: the variable '{name}' is not set")
                if used is not None:
                    used.add(name)
                line = line.replace(text, variables[name])
            yield number, line

    req_file.expand_env_variables = expand
