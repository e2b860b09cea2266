"""Debian's -dev packages and build tools as Bazel targets.

`system_repository(name = "system", libs = {...}, headers = {...}, tools = {...})` asks pkg-config
for every library and writes one cc_library each; every tool becomes a symlink, so its content is
part of the key of the actions that run it. What is missing fails the load with the names of the
Debian packages to install.
"""

def _pkg_config(rctx, program, args, modules):
    result = rctx.execute([program] + args + modules)
    if result.return_code:
        return None, result.stderr.strip()
    return [flag for flag in result.stdout.replace("\n", " ").split(" ") if flag], ""

def _dedupe_last(flags):
    """Keeps the last occurrence of each: the order a left-to-right link needs."""
    kept, seen = [], {}
    for flag in reversed(flags):
        # abseil brackets -latomic in --push-state/--pop-state; x86-64 and arm64 need none of it.
        if flag in seen or flag.startswith("-Wl,") or flag == "-latomic":
            continue
        seen[flag] = True
        kept.append(flag)
    return reversed(kept)

def _cc_library(name, defines, linkopts):
    # Bazel links with --no-as-needed, and --linkopt comes too late to undo it.
    return [
        "cc_library(",
        "    name = %r," % name,
        "    defines = %r," % defines,
        "    linkopts = %r," % (["-Wl,--as-needed"] + linkopts if linkopts else []),
        ")",
        "",
    ]

def _library(rctx, program, name, package, modules):
    """The lines of one library's target, or the reason why there is none."""
    version, error = _pkg_config(rctx, program, ["--modversion"], modules)
    if version == None:
        return [], "%s (%s)" % (package, error)
    cflags, _ = _pkg_config(rctx, program, ["--cflags"], modules)
    libs, _ = _pkg_config(rctx, program, ["--libs"], modules)

    # System headers are no inputs, so the version is in the key of all that is compiled against
    # them. An include directory the compiler searches anyway is dropped; another flag than a
    # define would be a surprise worth failing on.
    defines = ["SYSTEM_%s=%s" % (name.upper(), version[0].replace(".", "_"))]
    for flag in cflags:
        if flag.startswith("-D"):
            defines.append(flag[2:])
        elif not flag.startswith("-I/usr/include") and flag != "-pthread":
            fail("%s: unexpected flag %s" % (name, flag))
    return _cc_library(name, defines, _dedupe_last(libs)), ""

def _impl(rctx):
    program = rctx.which("pkg-config")
    if not program:
        fail("pkg-config is missing: apt-get install pkg-config")
    lines = ['package(default_visibility = ["//visibility:public"])', ""]
    missing = []
    for name in sorted(rctx.attr.libs):
        spec = rctx.attr.libs[name]
        library, error = _library(rctx, program, name, spec[0], spec[1:])
        lines += library
        if error:
            missing.append(error)
    for name in sorted(rctx.attr.headers):
        spec = rctx.attr.headers[name]
        if rctx.path(spec[1]).exists:
            lines += _cc_library(name, [], spec[2:])
        else:
            missing.append("%s (%s)" % (spec[0], spec[1]))
    for name in sorted(rctx.attr.tools):
        package, path = rctx.attr.tools[name]
        if rctx.path(path).exists:
            rctx.symlink(rctx.path(path), "bin/" + name)
        else:
            missing.append("%s (%s)" % (package, path))
    if missing:
        fail("install these Debian packages, or run `make setup`: " + ", ".join(missing))
    lines.append('exports_files(glob(["bin/*"], allow_empty = True))')
    rctx.file("BUILD.bazel", "\n".join(lines) + "\n")

system_repository = repository_rule(
    implementation = _impl,
    attrs = {
        "headers": attr.string_list_dict(),
        "libs": attr.string_list_dict(),
        "tools": attr.string_list_dict(),
    },
    local = True,
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
)
