"""Uses CPU time in known parts, each by another kind of call; then waits for the end of its input.

    python_kinds.py KIND SECONDS

Lines that a profile is to have end in a comment with their name. Runs on CPython 3.8 and later.
"""
import asyncio
import ctypes
import gc
import os
import signal
import sys
import threading
import time

clock = time.thread_time


def hot(seconds):
    end, x = clock() + seconds, 1
    while clock() < end:
        for i in range(3000):  # line hot-loop
            x = (x * 31 + i) % 1000003  # line hot
    return x


def cold(seconds):
    end, x = clock() + seconds, 1
    while clock() < end:
        for i in range(3000):
            x = (x * 37 + i) % 1000033  # line cold
    return x


def work(seconds):
    hot(seconds * 0.7)  # line work-hot
    cold(seconds * 0.3)  # line work-cold


def threaded(seconds):
    thread = threading.Thread(target=in_thread, args=(seconds,))
    thread.start()
    thread.join()


def in_thread(seconds):
    hot(seconds)  # line in-thread


def generated(seconds):
    def inner():
        yield hot(seconds)  # line generator

    def outer():
        yield from inner()  # line generator-outer

    for _ in outer():  # line generator-consumer
        pass


def awaited(seconds):
    async def inner():
        hot(seconds)  # line coroutine

    async def outer():
        await asyncio.sleep(0)
        await inner()  # line coroutine-outer

    asyncio.run(outer())  # line coroutine-run


def sorted_by(seconds):
    def by_key(value):
        hot(seconds)  # line key
        return value

    sorted([1], key=by_key)  # line sorted


def called_back(seconds):
    def callback(value):
        hot(seconds)  # line callback
        return value

    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(callback)(1)  # line calls-back


class Outer:
    class Inner:
        def method(self, seconds):
            hot(seconds)  # line method


def größe(seconds):
    hot(seconds)  # line non-ascii


PARTS = [(work, 0.4), (threaded, 0.1), (generated, 0.1), (awaited, 0.1), (sorted_by, 0.1),
         (called_back, 0.1), (Outer.Inner().method, 0.05), (größe, 0.05)]


def kinds(seconds):
    """In slices, so that a machine that changes its pace does so to all parts."""
    for _ in range(40):
        for part, share in PARTS:
            part(seconds * share / 40)


def forked(seconds):
    """A child that began with this process' memory."""
    if os.fork() == 0:
        in_child(seconds)
        sys.stdin.read()
        os._exit(0)
    in_parent(seconds)


def in_child(seconds):
    hot(seconds)


def in_parent(seconds):
    hot(seconds)


def stopped(seconds):
    """Stops itself as soon as it has used its time: its names are read of a process that stands still."""
    before_stop(seconds)
    os.kill(os.getpid(), signal.SIGSTOP)


def before_stop(seconds):
    hot(seconds)


def scribbled(seconds):
    """The link to the caller's frame is garbage for a while."""
    gc.disable()
    frame = sys._getframe()
    word = ctypes.POINTER(ctypes.c_size_t)
    if sys.version_info >= (3, 11):
        inner = ctypes.cast(id(frame) + 24, word)[0]
        link = ctypes.cast(inner + (8 if sys.version_info >= (3, 12) else 48), word)
    else:
        link = ctypes.cast(id(frame) + 24, word)
    good = link[0]
    for bad in (0x5, 0x7ffff0000000, id(frame), ctypes.addressof(link.contents) - 24):
        link[0] = bad
        hot(seconds / 4)
        link[0] = good


def subinterpreter(seconds):
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    script = ("import time\ndef in_subinterpreter(seconds):\n end = time.thread_time() + seconds\n"
              " x = 1\n while time.thread_time() < end:\n"
              "  for i in range(3000): x = (x * 31 + i) % 1000003\n"
              f"in_subinterpreter({seconds})\n")
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    run(interpreters.create(), script)


def parked(seconds):
    """In one call of C for ever, below Python, C and Python again."""
    import zlib
    data = bytes(1 << 26)

    def by_key(value):
        print("parked", flush=True)
        while True:
            zlib.crc32(data)
        return value

    def callback(value):
        sorted([1], key=by_key)
        return value

    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(callback)(1)


def freed(seconds):
    """Functions that are made, run shortly and forgotten."""
    end = clock() + seconds
    while clock() < end:
        names = {}
        exec(compile("\n" * 7 + "def short_lived(n):\n for i in range(n): pass\n", "made.py", "exec"), names)
        names["short_lived"](20000)


if __name__ == "__main__":
    globals()[sys.argv[1]](float(sys.argv[2]))
    sys.stdin.read()
