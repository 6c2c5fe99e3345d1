"""compile-python.py FOLDER...: compile every Python source below FOLDER that is not compiled yet, on all processors.

Runs in the tree, with its own Python. What else is in a __pycache__ is removed. A compiled file is kept if it begins as
those with an unchecked hash do (PEP 552): magic number, flags 1, and the hash of the source as it is. Prints how many there
are, and how many were compiled.
"""
import os
import py_compile
import re
import stat
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash

# Tests and what installs packages: Python compiles those in memory, should somebody call them.
LEFT_OUT = re.compile(r'/(tests?|pip|setuptools|pkg_resources)/')
HEAD = MAGIC_NUMBER + (1).to_bytes(4, 'little')


def is_file(path):
    return stat.S_ISREG(os.lstat(path).st_mode)


def is_fresh(source, compiled):
    try:
        with open(source, 'rb') as file, open(compiled, 'rb') as other:
            return is_file(compiled) and other.read(16) == HEAD + source_hash(file.read())
    except OSError:
        return False


def compile_one(source):
    try:
        py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, OSError, ValueError, RecursionError):
        pass  # Some packages bring files for other versions of Python; they are not used.


def sweep(folder, wanted):
    """Remove from the cache of a folder what belongs to none of its sources."""
    cache = os.path.join(folder, '__pycache__')
    if not os.path.isdir(cache) or os.path.islink(cache):
        return
    for name in os.listdir(cache):
        path = os.path.join(cache, name)
        if name not in wanted and (os.path.islink(path) or not os.path.isdir(path)):
            os.unlink(path)
    if not os.listdir(cache):
        os.rmdir(cache)


def main(tops):
    stale, fresh = [], 0
    for top in tops:
        for folder, folders, names in os.walk(top):
            if '__pycache__' in folders:
                folders.remove('__pycache__')
            wanted = set()
            for name in names:
                source = os.path.join(folder, name)
                if not name.endswith('.py') or not is_file(source) or LEFT_OUT.search(source):
                    continue
                compiled = cache_from_source(source)
                if is_fresh(source, compiled):
                    wanted.add(os.path.basename(compiled))
                else:
                    stale.append(source)
            fresh += len(wanted)
            sweep(folder, wanted)
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(compile_one, stale, chunksize=32):
            pass
    print(f'{fresh + len(stale)} sources, {len(stale)} compiled')


if __name__ == '__main__':
    main(sys.argv[1:])
