"""The frame and the style sheet of the HTML report: dark text on white, readable in print, no scripts."""

from __future__ import annotations

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --gold: #1a7f37;
  --guess: #b35900; --bar: #b6d4f5; --deep: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto,
  "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; }
h3 { font-size: 16px; margin: 28px 0 4px; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--line); }
p, ul.notes { margin: 6px 0; max-width: 80ch; }
.soft, small { color: var(--soft); }
ul.notes { padding: 10px 14px 10px 30px; background: #fff8e5; border: 1px solid #e6d5a0; border-radius: 6px; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0; }
.card { flex: 1 1 150px; border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
.card b { display: block; font-size: 28px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card.main { border: 2px solid var(--deep); }
.card.main b { color: var(--deep); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; margin: 8px 0; }
th, td { padding: 4px 9px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--line);
  vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
table.errors { width: 100%; }
table.errors th, table.errors td { text-align: left; }
table.errors td.number { text-align: right; }
table.errors td.context { width: 58%; }
tr.lead td { font-weight: 600; }
.pair { display: flex; gap: 32px; align-items: flex-start; }
.pair > div { min-width: 0; }
@media (max-width: 800px) { .pair { flex-wrap: wrap; } }
figure { margin: 8px 0; }
figcaption { color: var(--soft); font-size: 13px; max-width: 44ch; }
svg text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .soft { fill: var(--soft); }
.quote { overflow-wrap: anywhere; unicode-bidi: plaintext; }
.quote + .quote { margin-top: 6px; }
.quote small { white-space: nowrap; }
mark { color: inherit; background: none; padding: 1px 0; }
mark.g { background: #dff3e4; border-bottom: 2px solid var(--gold); }
mark.p { background: #fdebd9; border-bottom: 2px dashed var(--guess); }
mark.g.p { background: #eef0d4; border-bottom: 2px solid var(--gold); border-top: 2px dashed var(--guess); }
details summary { cursor: pointer; color: var(--soft); font-size: 13px; }
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  tr, figure, .card { break-inside: avoid; }
  .wide { overflow: visible; }
  mark, .card, ul.notes, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
