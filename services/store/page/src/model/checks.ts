// What `stoker doctor` found on the host, where the store is told of it.

export interface Check {
  id: string;
  level: "ok" | "warning" | "error";
  title: string;
  detail: string;
  remedy: string;
}

// Reads the store's answer. What is not a check is left out.
export function parseChecks(answer: unknown): Check[] {
  const list = (answer as { checks?: unknown } | null)?.checks;
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: Record<string, unknown> | null) => {
    const text = (field: string): string => String(item?.[field] ?? "");
    const level = text("level");
    if (level !== "ok" && level !== "warning" && level !== "error") return [];
    const words = text("title") || text("id");
    const title = words.slice(0, 1).toUpperCase() + words.slice(1);
    return [{ id: text("id"), level, title, detail: text("detail"), remedy: text("remedy") }];
  });
}

// What is not in order, errors first.
export function problemsOf(checks: Check[]): Check[] {
  const of = (level: string): Check[] => checks.filter((check) => check.level === level);
  return [...of("error"), ...of("warning")];
}

// `2 errors, 1 warning`; empty where all is in order.
export function summaryOf(problems: Check[]): string {
  const count = (level: string): string => {
    const number = problems.filter((check) => check.level === level).length;
    return number === 0 ? "" : `${number} ${level}${number > 1 ? "s" : ""}`;
  };
  return [count("error"), count("warning")].filter((part) => part !== "").join(", ");
}
