"""BPF objects and libbpf skeletons.

    bpf_skeleton(
        name = "cpu_sampler_skeleton",
        src = "cpu_sampler.bpf.c",
        hdrs = ["//bpf/shared:headers"],
    )

makes cpu_sampler.bpf.o and cpu_sampler.skel.h, and :cpu_sampler_skeleton, a cc_library with the
skeleton's header, linked with libbpf. Headers are included from the workspace root.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")

def _bpf_gen_impl(ctx):
    obj, skel = ctx.outputs.obj, ctx.outputs.skel
    args = ctx.actions.args()
    args.add_all([
        "-target",
        "bpf",
        "-mcpu=v3",
        "-D__TARGET_ARCH_x86",
        "-O2",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fno-stack-protector",
        # linux/types.h needs asm/types.h, which Debian keeps per architecture.
        "-idirafter",
        "/usr/include/x86_64-linux-gnu",
        "-iquote.",
        # Debug line info must not name the sandbox.
        "-fdebug-prefix-map=/proc/self/cwd=.",
    ])

    # The installed libbpf's version, so that an upgrade rebuilds.
    args.add_all(ctx.attr._libbpf[CcInfo].compilation_context.defines, format_each = "-D%s")
    args.add("-c", ctx.file.src)
    args.add("-o", obj)
    ctx.actions.run(
        executable = ctx.executable._clang,
        arguments = [args],
        inputs = [ctx.file.src] + ctx.files.hdrs,
        outputs = [obj],
        env = {"PATH": "/usr/bin:/bin", "PWD": "/proc/self/cwd"},
        mnemonic = "BpfCompile",
        progress_message = "Compiling BPF %s" % ctx.file.src.short_path,
    )
    bpftool = ctx.executable._bpftool
    ctx.actions.run_shell(
        command = '"$1" gen skeleton "$2" name "$3" > "$4"',
        arguments = [bpftool.path, obj.path, ctx.attr.skel_name, skel.path],
        inputs = [obj],
        tools = [bpftool],
        outputs = [skel],
        mnemonic = "BpfSkeleton",
        progress_message = "Generating skeleton %s" % skel.short_path,
    )
    return [DefaultInfo(files = depset([obj, skel]))]

_bpf_gen = rule(
    implementation = _bpf_gen_impl,
    attrs = {
        "src": attr.label(allow_single_file = [".bpf.c"], mandatory = True),
        "hdrs": attr.label_list(allow_files = [".h"]),
        "skel_name": attr.string(mandatory = True),
        "obj": attr.output(mandatory = True),
        "skel": attr.output(mandatory = True),
        "_libbpf": attr.label(default = "@system//:bpf"),
        "_clang": attr.label(
            default = "@system//:bin/clang_bpf",
            allow_single_file = True,
            executable = True,
            cfg = "host",
        ),
        "_bpftool": attr.label(
            default = "@system//:bin/bpftool",
            allow_single_file = True,
            executable = True,
            cfg = "host",
        ),
    },
)

def bpf_skeleton(name, src, hdrs = [], **kwargs):
    """A BPF object and the library of its skeleton.

    Args:
      name: the cc_library's name.
      src: one .bpf.c file of this package.
      hdrs: headers that src includes.
      **kwargs: passed to the cc_library.
    """
    stem = src[:-len(".bpf.c")]
    _bpf_gen(
        name = name + "_gen",
        src = src,
        hdrs = hdrs,
        skel_name = stem.replace("-", "_") + "_bpf",
        obj = stem + ".bpf.o",
        skel = stem + ".skel.h",
    )
    cc_library(
        name = name,
        hdrs = [stem + ".skel.h"],
        deps = ["@system//:bpf", "@system//:elf", "@system//:zlib"],
        **kwargs
    )
