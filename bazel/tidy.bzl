"""clang-tidy over every C++ source, as cached actions: `bazel build --config=tidy //...`."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

_RUN = """
out=$1; tidy=$2; shift 2
"$tidy" --quiet --warnings-as-errors='*' "$@" > "$out" 2> "$out.err" && exit 0
sed "s#$PWD/##g" "$out" "$out.err" | grep -vE 'warnings? (generated|treated)'
exit 1
"""

def _compile_flags(ctx, target):
    """Include and define flags, and headers, of a target.

    In Bazel 4 a cc_library's CcInfo has its dependencies' merged in; a binary's or test's has not.
    """
    contexts = [target[CcInfo].compilation_context] + [
        d[CcInfo].compilation_context
        for d in getattr(ctx.rule.attr, "deps", [])
        if CcInfo in d
    ]
    flags, headers = {}, []
    for c in contexts:
        for i in c.quote_includes.to_list():
            flags["-iquote" + i] = True
        for i in c.includes.to_list():
            flags["-I" + i] = True
        for i in c.system_includes.to_list():
            flags["-isystem" + i] = True
        for d in c.defines.to_list():
            flags["-D" + d] = True
        headers.append(c.headers)
    return flags.keys(), headers

def _impl(target, ctx):
    if CcInfo not in target or not hasattr(ctx.rule.attr, "srcs") or target.label.workspace_name:
        return []
    srcs = [
        f
        for s in ctx.rule.attr.srcs
        for f in s.files.to_list()
        if f.is_source and f.extension == "cc"
    ]
    flags, headers = _compile_flags(ctx, target)
    outs = []
    for src in srcs:
        out = ctx.actions.declare_file("%s.%s.tidy" % (ctx.label.name, src.basename))
        args = ctx.actions.args()
        args.add(out)
        args.add(ctx.executable._clang_tidy)
        args.add(src)
        args.add("--")
        args.add_all(ctx.fragments.cpp.cxxopts)
        args.add_all(ctx.fragments.cpp.copts)
        args.add_all(flags)
        ctx.actions.run_shell(
            command = _RUN,
            arguments = [args],
            inputs = depset([src] + ctx.files._config, transitive = headers),
            tools = [ctx.executable._clang_tidy],
            outputs = [out],
            mnemonic = "ClangTidy",
            progress_message = "clang-tidy %s" % src.short_path,
        )
        outs.append(out)
    return [OutputGroupInfo(tidy = depset(outs))]

tidy = aspect(
    implementation = _impl,
    attr_aspects = [],
    fragments = ["cpp"],
    attrs = {
        "_config": attr.label(default = "//:.clang-tidy", allow_files = True),
        "_clang_tidy": attr.label(
            default = "@lint//:bin/clang_tidy",
            allow_single_file = True,
            executable = True,
            cfg = "host",
        ),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
