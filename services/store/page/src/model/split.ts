// A flame graph split by a label: one subtree per value.

import type { Series } from "../api/messages";
import type { Matcher } from "./selector";
import { quoteRegex } from "./selector";

// Each value is a query of its own, so only the largest are split off.
export const MAX_GROUPS = 10;

export interface Group {
  title: string;
  // The title without the label's name.
  short: string;
  matcher: Matcher;
}

// The groups of `label`, largest first, and one more for the rest if there is a rest.
export function groupsOf(label: string, series: Series[]): Group[] {
  const values = largestFirst(series).map(
    (s) => s.labels.find((l) => l.name === label)?.value ?? "",
  );
  const shown = values.slice(0, MAX_GROUPS);
  const groups = shown.map(
    (value): Group => ({
      title: value === "" ? `${label} absent` : `${label}=${value}`,
      short: value === "" ? "absent" : value,
      matcher: { name: label, operator: "=", value },
    }),
  );
  if (values.length > MAX_GROUPS) {
    const left = values.length - MAX_GROUPS;
    groups.push({
      title: `${left} other values of ${label}`,
      short: `${left} others`,
      matcher: {
        name: label,
        operator: "!~",
        value: shown.map(quoteRegex).join("|"),
      },
    });
  }
  return groups;
}

export function largestFirst(series: Series[]): Series[] {
  const sum = (s: Series): number => s.points.reduce((total, p) => total + p.value, 0);
  const sums = new Map(series.map((s) => [s, sum(s)]));
  return [...series].sort((a, b) => sums.get(b)! - sums.get(a)!);
}
