"""C++ code of .proto files, with Debian's protoc and grpc_cpp_plugin.

    cc_proto(
        name = "profile_service_proto",
        srcs = ["profile_service.proto"],
        grpc = True,
        deps = [":profile_proto"],
    )

makes :profile_service_proto, a cc_library with profile_service.pb.h and, with grpc = True,
profile_service.grpc.pb.h, and :profile_service_proto_descriptor, the descriptor set of srcs alone.
Proto imports and C++ includes are both written from the workspace root.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")

ProtoSources = provider(fields = {"transitive": "depset of .proto files"})

def _proto_gen_impl(ctx):
    transitive = depset(
        ctx.files.srcs,
        transitive = [d[ProtoSources].transitive for d in ctx.attr.deps],
    )
    args = ctx.actions.args()
    args.add("-I.")
    args.add("--cpp_out=" + ctx.bin_dir.path)
    args.add(ctx.outputs.descriptor, format = "--descriptor_set_out=%s")
    tools = []
    if ctx.attr.grpc:
        tools.append(ctx.executable._plugin)
        args.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
        args.add("--grpc_out=" + ctx.bin_dir.path)
    args.add_all(ctx.files.srcs)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = transitive,
        tools = tools,
        outputs = ctx.outputs.outs + [ctx.outputs.descriptor],
        mnemonic = "ProtocCpp",
        progress_message = "Generating C++ of %s" % ctx.label,
    )
    return [
        DefaultInfo(files = depset(ctx.outputs.outs)),
        ProtoSources(transitive = transitive),
    ]

_proto_gen = rule(
    implementation = _proto_gen_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"], mandatory = True),
        "deps": attr.label_list(providers = [ProtoSources]),
        "grpc": attr.bool(),
        "outs": attr.output_list(mandatory = True),
        "descriptor": attr.output(mandatory = True),
        "_protoc": attr.label(
            default = "@system//:bin/protoc",
            allow_single_file = True,
            executable = True,
            cfg = "host",
        ),
        "_plugin": attr.label(
            default = "@system//:bin/grpc_cpp_plugin",
            allow_single_file = True,
            executable = True,
            cfg = "host",
        ),
    },
)

def _gen_label(dep):
    """The generator of a cc_proto: '//a/b:c' -> '//a/b:c_gen'."""
    if ":" not in dep:
        dep = dep + ":" + dep.split("/")[-1]
    return dep + "_gen"

def cc_proto(name, srcs, deps = [], grpc = False, **kwargs):
    """A C++ library of .proto files.

    Args:
      name: the cc_library's name.
      srcs: .proto files of this package.
      deps: other cc_proto targets that srcs import.
      grpc: whether to generate service stubs too.
      **kwargs: passed to the cc_library (visibility, tags, ...).
    """
    hdrs, ccs = [], []
    for src in srcs:
        stem = src[:-len(".proto")]
        kinds = [".pb"] + ([".grpc.pb"] if grpc else [])
        hdrs += [stem + k + ".h" for k in kinds]
        ccs += [stem + k + ".cc" for k in kinds]
    visibility = kwargs.pop("visibility", ["//visibility:public"])
    _proto_gen(
        name = name + "_gen",
        srcs = srcs,
        outs = hdrs + ccs,
        descriptor = name + "_descriptor.binpb",
        grpc = grpc,
        deps = [_gen_label(d) for d in deps],
        visibility = visibility,
    )
    cc_library(
        name = name,
        srcs = ccs,
        hdrs = hdrs,
        copts = ["-w"],  # generated code is not ours to lint
        visibility = visibility,
        deps = deps + ["@system//:grpcpp" if grpc else "@system//:protobuf"],
        **kwargs
    )
