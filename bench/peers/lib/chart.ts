/** A bar chart of the throughput, on a logarithmic scale; legible on light and on dark pages. */
import { IN_FLIGHT, type Measured } from "./measure.ts";

const WIDTH = 960;
/** Where bars begin, and the place for their values at the right. */
const LEFT = 330;
const RIGHT = 70;
const TOP = 72;
const BAR = 11;
const GAP = 12;
const GROUP = BAR * IN_FLIGHT.length + GAP;
/** One colour for each number in flight, with enough contrast to white and to black. */
const COLOURS = ["#8a8f98", "#3b82c4", "#d9772b"];

/** Runs per second at 1 at the left end. */
const LEAST = 1;

export function chart(measured: readonly Measured[]): string {
  const rates = measured.map(({ runs }) =>
    runs.map((result) => ("value" in result ? result.value.runs / result.value.seconds : 0)),
  );
  const decades = Math.ceil(Math.log10(Math.max(10, ...rates.flat())));
  const width = (rate: number): number =>
    rate <= LEAST ? 1 : (Math.log10(rate / LEAST) / decades) * (WIDTH - LEFT - RIGHT);
  const height = TOP + measured.length * GROUP + 40;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">Durable runs of three no-op steps per second, by engine</title>`,
    `<desc id="description">${escaped(describe(measured, rates))}</desc>`,
    STYLE,
    `<text x="16" y="24" class="head">Runs of three no-op steps per second, logarithmic scale</text>`,
    ...legend(),
    ...grid(decades, width, height),
    ...measured.flatMap((one, row) => group(one, rates[row] as number[], TOP + row * GROUP, width)),
    "</svg>",
    "",
  ].join("\n");
}

const STYLE = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.head { font-size: 16px; font-weight: 600; }
.small { font-size: 10px; }
.grid { stroke: #8884; }
.weak { fill-opacity: 0.3; stroke-dasharray: 3 2; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
</style>`;

function legend(): string[] {
  const entries = IN_FLIGHT.flatMap((inFlight, at) => {
    const x = 16 + at * 130;
    return [
      `<rect x="${x}" y="38" width="12" height="12" fill="${COLOURS[at]}"/>`,
      `<text x="${x + 18}" y="49">${inFlight.toLocaleString("en-US")} in flight</text>`,
    ];
  });
  const x = 16 + IN_FLIGHT.length * 130;
  return [
    ...entries,
    `<rect x="${x}" y="38" width="12" height="12" fill="${COLOURS[1]}" stroke="${COLOURS[1]}" class="weak"/>`,
    `<text x="${x + 18}" y="49">pale: a power cut loses acknowledged runs</text>`,
  ];
}

function grid(decades: number, width: (rate: number) => number, height: number): string[] {
  return Array.from({ length: decades + 1 }, (_, decade) => 10 ** decade).flatMap((rate) => {
    const x = LEFT + width(rate);
    return [
      `<line x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${height - 26}" class="grid"/>`,
      `<text x="${x}" y="${height - 10}" text-anchor="middle">${rate.toLocaleString("en-US")}</text>`,
    ];
  });
}

/** The bars of one setting, with its name before them. */
function group(one: Measured, rates: readonly number[], y: number, width: (rate: number) => number): string[] {
  const middle = y + (BAR * IN_FLIGHT.length) / 2;
  const weak = one.setting.survivesPowerCut ? "" : ' class="weak"';
  return [
    `<text x="${LEFT - 10}" y="${middle - 2}" text-anchor="end">${escaped(one.peer.title)}</text>`,
    `<text x="${LEFT - 10}" y="${middle + 11}" text-anchor="end" class="small">${escaped(one.setting.title)}</text>`,
    ...rates.flatMap((rate, at) => {
      const top = y + at * BAR;
      const bar = `x="${LEFT}" y="${top}" width="${width(rate).toFixed(1)}" height="${BAR - 1}"`;
      return [
        `<rect ${bar} fill="${COLOURS[at]}" stroke="${COLOURS[at]}"${weak}/>`,
        `<text x="${(LEFT + width(rate) + 6).toFixed(1)}" y="${top + BAR - 1}" class="small">${shown(rate)}</text>`,
      ];
    }),
  ];
}

/** The figures in words, for those who cannot see the bars. */
function describe(measured: readonly Measured[], rates: readonly (readonly number[])[]): string {
  const lines = measured.map(({ peer, setting }, row) => {
    const values = IN_FLIGHT.map((inFlight, at) => `${shown(rates[row]?.[at] ?? 0)} at ${inFlight} in flight`);
    return `${peer.title}, ${setting.title}: ${values.join(", ")}.`;
  });
  return `Runs per second. ${lines.join(" ")}`;
}

const shown = (rate: number): string =>
  rate === 0 ? "not measured" : Number(rate.toPrecision(3)).toLocaleString("en-US");

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
