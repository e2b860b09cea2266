// The messages of querier.v1 and types.v1 as the page uses them, numbers already parsed.

export interface LabelPair {
  name: string;
  value: string;
}

export interface Point {
  value: number;
  // Unix milliseconds.
  timestamp: number;
}

export interface Series {
  labels: LabelPair[];
  points: Point[];
}

export interface Stats {
  ingested: boolean;
  oldest: number;
  newest: number;
}
