"""Prints the addresses of code objects that a test reads out of this process' memory, then waits
for the end of its input: the head of _PyRuntime in hex, then "name address first_line file lines"."""
import ctypes
import sys

line_of = ctypes.pythonapi.PyCode_Addr2Line
line_of.argtypes = [ctypes.py_object, ctypes.c_int]
line_of.restype = ctypes.c_int


def ascii_name():
    x = 1
    y = 2
    return x + y


def größe():
    return 1


def 名前():
    return 1


def 𝔘nicode():
    return 1


class Outer:
    class Inner:
        def method(self):
            return (lambda: 1)


def generator():
    yield 1


async def coroutine():
    return 1

odd = {}
exec(compile("\n" * 40 + "def elsewhere(): pass\n", "/nowhere/größe/\udce4.py", "exec"), odd)
exec(compile("def " + "long" * 2000 + "(): pass\n", "long.py", "exec"), odd)

runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
print(ctypes.string_at(runtime, 1024).hex(), flush=True)

functions = [ascii_name, größe, 名前, 𝔘nicode, Outer.Inner.method, generator, coroutine,
             odd["elsewhere"], odd["long" * 2000]]
for function in functions:
    code = function.__code__
    name = getattr(code, "co_qualname", code.co_name)
    lines = ",".join(str(line_of(code, at)) for at in range(0, len(code.co_code), 2))
    text = "%s\t%d\t%d\t%s\t%s\n" % (name, id(code), code.co_firstlineno, code.co_filename, lines)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
sys.stdout.flush()
sys.stdin.read()
