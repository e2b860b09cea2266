// Frames that are not functions: what they mean and what would turn them into names.

export type FrameKind = "function" | "module" | "unknown" | "truncated" | "other";

export interface FrameExplanation {
  kind: FrameKind;
  // One or two sentences for the reader; empty for a function.
  text: string;
}

const UNWIND = /^\[unwind: (.+)\]$/;
const BRACKETED = /^\[(.+)\]$/;
// As `stoker record` writes it.
const ADDRESS = /^(\S+) 0x[0-9a-f]+$/;

// The stop reasons of the collectors, in the words of sample.proto.
const REASONS: Record<string, string> = {
  "frame limit": "the stack has more frames than the collector follows",
  "no mapping": "the return address lies in no mapped file, as in code made at run time",
  "table absent": "the unwind table of this binary was not loaded yet; later samples have it",
  "no rule": "the binary has no unwind rule for this address",
  "unsupported rule": "the unwind rule of this address is of a kind the kernel cannot follow",
  "read failed": "the stack memory could not be read, for instance because it was paged out",
  "no progress": "the next frame would not lie above this one, so the stack is damaged here",
  "interpreter data": "the interpreter's own data made no sense at this moment",
  "program limit": "the kernel limits how long an unwinder may run",
  "frame pointers end": "the code was built without frame pointers",
  "compat task": "32-bit programs are not unwound",
};

const kinds = new Map<string, FrameKind>();
const MOST_KINDS = 500_000;

// The kind alone. Remembered, since drawing asks for each frame at each move of the pointer.
export function kindOf(name: string): FrameKind {
  let kind = kinds.get(name);
  if (kind === undefined) {
    if (kinds.size >= MOST_KINDS) kinds.clear();
    kinds.set(name, (kind = explainFrame(name).kind));
  }
  return kind;
}

// `path`: the mapping's, where the pprof gave it.
export function explainFrame(name: string, path = ""): FrameExplanation {
  const unwind = UNWIND.exec(name);
  if (unwind) return { kind: "truncated", text: explainUnwind(unwind[1]) };
  if (name === "other") {
    return {
      kind: "other",
      text: "Smaller frames that the store folded together to bound its answer.",
    };
  }
  if (name === "[unknown]" || name === "") {
    return {
      kind: "unknown",
      text: "The address lies in no known file, as in code made at run time without a perf map.",
    };
  }
  if (name === "[anon]") {
    return {
      kind: "unknown",
      text: "Code in memory of no file: made at run time, as by a JIT compiler, without a perf map.",
    };
  }
  const module = BRACKETED.exec(name) ?? ADDRESS.exec(name);
  if (module) return { kind: "module", text: explainModule(module[1], path) };
  return { kind: "function", text: "" };
}

function explainUnwind(reason: string): string {
  const words = reason.toLowerCase().replace(/[_-]/g, " ").trim();
  const meaning = REASONS[words];
  return `The stack is cut off here, its callers are missing: ${meaning ?? reason}.`;
}

function explainModule(module: string, path: string): string {
  if (/^(kernel|vmlinux|kernel\.kallsyms)/.test(module)) {
    return (
      "Kernel code without a name: no symbol covers the address, or /proc/kallsyms was hidden from " +
      "the collector (kernel.kptr_restrict, CAP_SYSLOG)."
    );
  }
  if (module === "vdso" || module === "[vdso]") {
    return "The kernel's code inside each process; it has few names.";
  }
  if (path.startsWith("[")) {
    return `An address of the kernel's module ${module} that none of its symbols covers.`;
  }
  return (
    `${module} has no symbol for this address. Install its debug symbols or set a debuginfod ` +
    "server: from then on it has a name."
  );
}
