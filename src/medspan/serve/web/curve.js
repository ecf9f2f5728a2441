/** Small figures as SVG: the curve of a run, and a score with its interval. */

import { svg } from "./dom.js";

const WIDTH = 560;
const HEIGHT = 190;
const PAD = { left: 40, right: 44, top: 14, bottom: 26 };

/**
 * The loss (falling, right axis) and F1 on the corrected texts, which is no fair score (0 to 1, left axis), by epoch.
 * @param {{epoch: number, loss: number, dev: number | null}[]} curve
 */
export function curveFigure(curve) {
  const last = Math.max(2, ...curve.map(({ epoch }) => epoch));
  const most = Math.max(1e-9, ...curve.map(({ loss }) => loss));
  const x = (epoch) => PAD.left + ((epoch - 1) / (last - 1)) * (WIDTH - PAD.left - PAD.right);
  const y = (share) => HEIGHT - PAD.bottom - share * (HEIGHT - PAD.top - PAD.bottom);
  const scored = curve.filter(({ dev }) => dev !== null && dev !== undefined);
  const told = scored.length
    ? `F1 on the corrected texts is ${scored.at(-1).dev.toFixed(3)} after epoch ${scored.at(-1).epoch}`
    : "No epoch has ended yet";
  return svg(
    "svg",
    {
      class: "curve",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `Learning curve. ${told}.`,
    },
    [0, 0.25, 0.5, 0.75, 1].map((share) => gridLine(y(share), share.toFixed(2))),
    svg("text", { x: x(1), y: HEIGHT - 8, class: "axis" }, "epoch 1"),
    svg("text", { x: x(last), y: HEIGHT - 8, class: "axis", "text-anchor": "end" }, String(last)),
    line(
      curve.map(({ epoch, loss }) => [x(epoch), y(loss / most)]),
      "loss",
    ),
    line(
      scored.map(({ epoch, dev }) => [x(epoch), y(dev)]),
      "dev",
    ),
    curve.length > 0 &&
      svg(
        "text",
        { x: WIDTH - PAD.right + 5, y: y(curve.at(-1).loss / most) + 4, class: "axis loss" },
        "loss",
      ),
    scored.length > 0 &&
      svg("text", { x: WIDTH - PAD.right + 5, y: y(scored.at(-1).dev) + 4, class: "axis dev" }, "F1"),
  );
}

function gridLine(y, name) {
  return svg(
    "g",
    {},
    svg("line", { x1: PAD.left, x2: WIDTH - PAD.right, y1: y, y2: y, class: "grid" }),
    svg("text", { x: PAD.left - 6, y: y + 4, class: "axis", "text-anchor": "end" }, name),
  );
}

function line(points, kind) {
  const dots = points.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.4, class: kind }));
  return svg(
    "g",
    {},
    svg("polyline", { points: points.map((point) => point.join(",")).join(" "), class: kind }),
    dots,
  );
}

/** A score between 0 and 1 as a dot with its interval. @param {{f1: number, interval?: [number, number]}} score */
export function scoreFigure({ f1, interval }, kind) {
  const x = (share) => 4 + share * 192;
  return svg(
    "svg",
    { class: "score", viewBox: "0 0 200 16", "aria-hidden": "true" },
    svg("line", { x1: x(0), x2: x(1), y1: 8, y2: 8, class: "grid" }),
    interval && svg("line", { x1: x(interval[0]), x2: x(interval[1]), y1: 8, y2: 8, class: `reach ${kind}` }),
    svg("circle", { cx: x(f1), cy: 8, r: 4, class: kind }),
  );
}
