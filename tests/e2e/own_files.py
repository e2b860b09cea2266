"""Other files in a test's place of /etc and the like, for the test and what it starts alone."""
import ctypes
import os
import tempfile

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)
_replaced = set()


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own_mounts():
    """Moves this process to mounts of its own. Before the first thread, as root."""
    _checked(_libc.unshare(_CLONE_NEWNS))
    _checked(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))


def replace_file(path, text):
    """Puts `text` where `path`, which exists, leads to; after own_mounts."""
    path = os.path.realpath(path)
    if path in _replaced:
        # Nothing can be mounted on a file that is unlinked.
        _checked(_libc.umount2(os.fsencode(path), _MNT_DETACH))
    _replaced.add(path)
    handle, own = tempfile.mkstemp()
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(own, 0o644)
    _checked(_libc.mount(os.fsencode(own), os.fsencode(path), None, _MS_BIND, None))
    # The mount holds it.
    os.unlink(own)


def empty_folder(path):
    """Puts an empty folder where `path` leads to; after own_mounts."""
    _checked(_libc.mount(b"tmpfs", os.fsencode(os.path.realpath(path)), b"tmpfs", 0, b"mode=0755"))
