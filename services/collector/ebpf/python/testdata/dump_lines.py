"""Prints, for every code object of many sources, its line table and what the interpreter itself
takes from it: "first_line table_in_hex start:line start:line …", line -1 where there is none."""
import ctypes
import glob
import os
import sys
import types

line_of = ctypes.pythonapi.PyCode_Addr2Line
line_of.argtypes = [ctypes.py_object, ctypes.c_int]
line_of.restype = ctypes.c_int

# Far jumps forwards and backwards, long statements, instructions without a line.
HARD = [
    "x = 1\n" + "\n" * 700 + "y = 2\n" + "\n" * 130 + "z = 3\n",
    "f(" + ",\n".join("a%d" % i for i in range(250)) + ")\n",
    "x = [" + ", ".join("a + b * c" for _ in range(400)) + "]\ny = 1\n",
    "for i in (\n" + "\n" * 300 + "range(3)):\n try:\n  f(i)\n except E as e:\n  g(e)\n finally:\n  h()\n",
    "async def f():\n async with a as b:\n  async for c in d:\n   yield await c\n",
    "def g():\n with a:\n  return [x\n   for x in y\n    if x]\n",
]


def dump(code):
    table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
    runs, last = [], None
    for at in range(0, len(code.co_code), 2):
        line = line_of(code, at)
        if line != last:
            runs.append("%d:%d" % (at, line))
        last = line
    print(code.co_firstlineno, table.hex() or "-", *runs)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            dump(constant)


library = os.path.dirname(os.__file__)
sources = HARD
for path in sorted(glob.glob(library + "/*.py"))[:int(sys.argv[1])]:
    with open(path, encoding="utf-8", errors="replace") as file:
        sources.append(file.read())
for source in sources:
    dump(compile(source, "source", "exec"))
