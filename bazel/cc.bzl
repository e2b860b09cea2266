"""The C++ rules of Stoker: Bazel's own, with our warnings.

One target per file pair, private unless it says otherwise. `stoker_cc_test` with
`privileged = True` runs outside the sandbox (a user namespace, where the kernel refuses BPF and
perf events), alone, and never from the cache.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wnon-virtual-dtor",
    "-Werror",
    # Designated initializers leave out what has a default.
    "-Wno-missing-field-initializers",
] + select({
    "//bazel:fuzzing": [],
    # g++ 12 reports a copy onto itself where strings are added (GCC bug 105329).
    "//conditions:default": ["-Wno-restrict"],
})

def stoker_cc_library(name, copts = [], **kwargs):
    cc_library(name = name, copts = _WARNINGS + copts, **kwargs)

def stoker_cc_binary(name, copts = [], **kwargs):
    cc_binary(name = name, copts = _WARNINGS + copts, **kwargs)

def stoker_cc_test(name, copts = [], deps = [], size = "small", privileged = False, tags = [], **kwargs):
    cc_test(
        name = name,
        size = size,
        copts = _WARNINGS + copts,
        tags = tags + (["exclusive", "external", "local", "privileged"] if privileged else []),
        deps = deps + ["@system//:gmock", "@system//:gtest_main"],
        **kwargs
    )

def stoker_cc_benchmark(name, srcs, deps = [], **kwargs):
    """A google-benchmark binary; `make bench` runs all that are tagged so."""
    cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        copts = _WARNINGS,
        tags = ["benchmark"],
        deps = deps + ["@system//:benchmark"],
        linkopts = ["-lbenchmark_main"],
        **kwargs
    )

def stoker_cc_fuzz_test(name, srcs, corpus, deps = [], **kwargs):
    """One fuzz target, two builds.

    `bazel test //x:name` replays the corpus; `bazel build --config=fuzz //x:name` makes a
    libFuzzer binary.

    Args:
      name: the target's name, ending in _fuzz.
      srcs: the file that defines LLVMFuzzerTestOneInput.
      corpus: labels of the inputs to replay.
      deps: what srcs include.
      **kwargs: passed to the cc_test.
    """
    cc_test(
        name = name,
        size = "small",
        srcs = srcs,
        copts = _WARNINGS,
        args = select({
            "//bazel:fuzzing": ["-runs=0"],
            "//conditions:default": [],
        }) + ["$(locations %s)" % c for c in corpus],
        data = corpus,
        deps = deps + select({
            "//bazel:fuzzing": [],
            "//conditions:default": ["//bazel:fuzz_replay_main"],
        }),
        linkopts = select({
            "//bazel:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        tags = ["fuzz"],
        **kwargs
    )
