"""esbuild as a Bazel tool, from the node_modules that `make setup` installs.

npm's platform package holds esbuild as one executable that needs no Node. The repository is loaded
only by builds that need the page, and fails with the command to run when the package is missing.
"""

_PLATFORMS = ["linux-x64", "linux-arm64"]

def _impl(rctx):
    folder = rctx.path(rctx.attr.package).dirname
    for platform in _PLATFORMS:
        binary = folder.get_child("node_modules").get_child("@esbuild").get_child(platform)
        binary = binary.get_child("bin").get_child("esbuild")
        if binary.exists:
            rctx.symlink(binary, "bin/esbuild")
            rctx.file("BUILD.bazel", 'exports_files(["bin/esbuild"])\n')
            return
    fail("esbuild is missing: run `make setup`, or `npm ci --prefix %s`" % folder)

npm_repository = repository_rule(
    implementation = _impl,
    attrs = {
        "package": attr.label(
            doc = "The package.json beside whose node_modules is taken.",
            allow_single_file = True,
            mandatory = True,
        ),
    },
    local = True,
    configure = True,
)
