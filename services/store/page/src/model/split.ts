// A flame graph split by a label: one subtree per value.

import type { Series } from "../api/messages";
import type { Matcher } from "./selector";
import { quoteRegex } from "./selector";

// Each value is a query of its own, so only the largest are split off.
export const MAX_GROUPS = 10;

export interface Group {
  title: string;
  matcher: Matcher;
}

// The groups of `label`, largest first, and one more for the rest if there is a rest.
export function groupsOf(label: string, series: Series[]): Group[] {
  const sums = series
    .map((s) => ({
      value: s.labels.find((l) => l.name === label)?.value ?? "",
      sum: s.points.reduce((total, p) => total + p.value, 0),
    }))
    .sort((a, b) => b.sum - a.sum);
  const shown = sums.slice(0, MAX_GROUPS);
  const groups = shown.map(({ value }): Group => ({
    title: value === "" ? `${label} absent` : `${label}=${value}`,
    matcher: { name: label, operator: "=", value },
  }));
  if (sums.length > MAX_GROUPS) {
    groups.push({
      title: `${sums.length - MAX_GROUPS} other values of ${label}`,
      matcher: {
        name: label,
        operator: "!~",
        value: shown.map(({ value }) => quoteRegex(value)).join("|"),
      },
    });
  }
  return groups;
}
