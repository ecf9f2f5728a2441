"""The page around the marked texts of ``html``: frame and style sheet."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 52rem; padding: 1.5rem; color: #1b1b1f; background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header { border-bottom: 1px solid #d5d5dc; margin-bottom: 1.5rem; padding-bottom: .75rem; }
h1 { font-size: 1.4rem; margin: 0; }
header p { color: #5a5a66; margin: .2rem 0 .6rem; }
.legend { display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; list-style: none; margin: 0; padding: 0; }
.legend li { font-variant-numeric: tabular-nums; }
nav ol { columns: 14rem; margin: .4rem 0; }
nav summary { cursor: pointer; margin-top: .6rem; }
a { color: inherit; text-decoration-color: #b5b5c0; }
article { margin: 0 0 1.75rem; }
h2 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 a { text-decoration: none; }
h2 small { color: #5a5a66; font-weight: normal; margin-inline-start: .5rem; }
.text { border: 1px solid #e4e4ea; border-radius: 8px; padding: .8rem 1rem; white-space: pre-wrap;
  overflow-wrap: anywhere; unicode-bidi: plaintext; line-height: calc(2.1em + .5em * var(--levels)); }
mark { --h: 0; --l: 0; color: inherit; background: hsl(var(--h) 85% 93%);
  border: 1.5px solid hsl(var(--h) 60% 42%); border-radius: 5px;
  padding: calc(.12em + .24em * var(--l)) .22em; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }
mark.more { border-inline-start: 1.5px dotted hsl(var(--h) 60% 42%); border-start-start-radius: 0;
  border-end-start-radius: 0; }
mark:has(> i:last-child) { border-inline-end-style: dotted; border-start-end-radius: 0;
  border-end-end-radius: 0; }
mark > b { color: hsl(var(--h) 75% 26%); font-size: .66em; font-weight: 650; letter-spacing: .02em;
  margin-inline-start: .4em; unicode-bidi: isolate; user-select: none; vertical-align: .08em; }
mark > b em { font-style: italic; font-weight: 500; }
.legend mark > b { margin: 0; font-size: .8em; }
.section { border: 1px solid #c9c9d2; border-radius: 3px; color: #5a5a66; font-size: .62em; font-weight: 600;
  letter-spacing: .05em; margin-inline-end: .6em; padding: .1em .45em; text-transform: uppercase;
  user-select: none; vertical-align: .15em; }
details { margin-top: .5rem; }
details summary { color: #5a5a66; cursor: pointer; font-size: .85rem; }
table { border-collapse: collapse; font-size: .85rem; line-height: 2; margin-top: .3rem; }
td, th { font-weight: normal; padding: 0 .9rem 0 0; text-align: start; }
th { color: #5a5a66; font-style: italic; }
.control { border: 1px solid #999; border-radius: 3px; color: #666; font-size: .6em; padding: 0 .15em; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  .text { border: none; padding: 0; }
  mark { background: none; border-color: #000; }
  mark > b { color: #000; }
  h2 { break-after: avoid; }
}
"""

PAGE = """<!DOCTYPE html>
<html lang="">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p>{summary}</p><ul class="legend">{legend}</ul>{contents}</header>
<main>
{articles}</main>
</body>
</html>
"""
