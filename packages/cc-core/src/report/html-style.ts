/** The style of the report page. Colours are never the only sign: each has its word beside it. */
export const htmlStyle = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d8dee4;
  --pass: #116329; --pass-back: #dafbe1; --fail: #a40e26; --fail-back: #ffe3e6; --skip: #6a5300; --skip-back: #fff3c4;
  --encrypted: #0b5cad; --verified: #116329; --on-demand: #7a4b00; --plain: #57606a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0d1117; --card: #161b22; --text: #e6edf3; --soft: #9198a1; --line: #30363d;
    --pass: #56d364; --pass-back: #12301b; --fail: #ff938a; --fail-back: #40171a; --skip: #e3b341; --skip-back: #342a10;
    --encrypted: #1f6feb; --verified: #238636; --on-demand: #9e6a03; --plain: #6e7681;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 0 0 1rem; font-size: 1.1rem; }
section { margin-top: 1.25rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
code { font: .88em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.verdict { margin: 1.25rem 0 0; padding: .7rem 1.25rem; border-radius: .6rem; }
.verdict p { margin: 0; font-weight: 600; }
.verdict ul { margin: .35rem 0 0; padding-left: 1.2rem; }
.verdict a { color: inherit; }
.status { display: inline-block; padding: 0 .6em; border-radius: 1em; font-size: .82rem; font-weight: 600; }
.passed { color: var(--pass); background: var(--pass-back); }
.failed { color: var(--fail); background: var(--fail-back); }
.skipped { color: var(--skip); background: var(--skip-back); }
.map { display: block; width: 100%; height: auto; margin: 0 0 .6rem; }
.map .free { fill: var(--line); }
.map .plain { fill: var(--plain); }
.map .encrypted { fill: var(--encrypted); }
.map .verified { fill: var(--verified); }
.map .on-demand { fill: var(--on-demand); }
.map .tree { fill: var(--verified); }
.disk { display: flex; gap: 3px; margin: 0; padding: 0; list-style: none; overflow-x: auto; }
.disk li { flex: var(--share) 1 0; min-width: 8.5rem; padding: .7rem .8rem; border-radius: .35rem; background: var(--plain); color: #fff; }
.disk .encrypted { background: var(--encrypted); }
.disk .verified { background: var(--verified); }
.disk .on-demand { background: var(--on-demand); }
.disk strong, .disk span { display: block; font-size: .82rem; line-height: 1.45; }
.disk strong { font-size: .95rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.5rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .55rem .75rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-size: .82rem; font-weight: 600; }
tbody th { width: 32%; min-width: 13rem; font-weight: 500; }
tbody th code { display: block; color: var(--soft); font-weight: 400; }
td.detail { overflow-wrap: anywhere; }
td.time { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
h2 .soft { font-weight: 400; font-size: .85rem; }
td.action { color: var(--soft); min-width: 12rem; overflow-wrap: anywhere; }
td:first-child { white-space: nowrap; }
tr:target { background: var(--page); }
td p { margin: .35rem 0 0; }
@media (max-width: 44rem) { .disk { flex-direction: column; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
@media print { body { background: none; } section { break-inside: avoid-page; } }
`
