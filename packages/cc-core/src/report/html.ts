import {formatMs} from '../ui/index.js'
import {formatBytes} from './bytes.js'
import {countChecks, type Check} from './check.js'
import {escapeMarkup as escape} from './escape.js'
import {diskMap} from './html-disk.js'
import {htmlStyle} from './html-style.js'
import {summaryLine, type Report} from './report.js'

/** The report as one page that needs nothing else: no script, no network. Everything shown is escaped. */
export function reportHtml(report: Report): string {
  const {title, subject, started, ms, checks} = report
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}: ${escape(summaryLine(checks))}</title>
<style>${htmlStyle}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<div class="soft"><code>${escape(subject)}</code> · <time datetime="${escape(started)}">${escape(started.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'))}</time> · ${formatMs(ms)}</div>
${verdict(checks)}
${disk(report)}
${facts(report)}
${groupsOf(checks).map(table).join('\n')}
</main>
</body>
</html>
`
}

function verdict(checks: readonly Check[]): string {
  const {failed} = countChecks(checks)
  const words = failed === 0 ? 'No check failed' : `${failed} of ${checks.length} checks failed`
  const links = checks
    .filter(({status}) => status === 'failed')
    .map(({id, title}) => `<li><a href="#${escape(id)}">${escape(title)}</a></li>`)
  return (
    `<div class="verdict ${failed === 0 ? 'passed' : 'failed'}"><p>${words}: ${escape(summaryLine(checks))}</p>` +
    `${links.length === 0 ? '' : `<ul>${links.join('')}</ul>`}</div>`
  )
}

interface Group {
  title: string
  checks: Check[]
}

/** Checks by their group, in the order in which the groups come up; those without one are "Checks". */
function groupsOf(checks: readonly Check[]): Group[] {
  const groups = new Map<string, Check[]>()
  for (const check of checks) {
    const title = check.group ?? 'Checks'
    groups.set(title, [...(groups.get(title) ?? []), check])
  }
  return [...groups].map(([title, own]) => ({title, checks: own}))
}

function table({title, checks}: Group, index: number): string {
  const acts = checks.some(({action}) => action !== undefined)
  const heads = ['Result', 'Check', ...(acts ? ['What the host does'] : []), 'Found', 'Time']
  const id = index === 0 ? 'checks' : `checks-${index + 1}`
  const time = checks.reduce((sum, {ms}) => sum + ms, 0)
  return `<section aria-labelledby="${id}">
<h2 id="${id}">${escape(title)} <span class="soft">${escape(summaryLine(checks))}, ${formatMs(time)}</span></h2>
<div class="scroll">
<table>
<thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead>
<tbody>
${checks.map((check) => row(check, acts)).join('\n')}
</tbody>
</table>
</div>
</section>`
}

function row({id, title, status, detail, fix, ms, action, outcome, repeat}: Check, acts: boolean): string {
  const remedy = fix === undefined ? '' : `<p>Fix: <code>${escape(fix)}</code></p>`
  const again = repeat === undefined ? '' : `<p class="soft">Repeat: <code>${escape(repeat)}</code></p>`
  return (
    `<tr id="${escape(id)}"><td><span class="status ${status}">${escape(outcome ?? status)}</span></td>` +
    `<th scope="row">${escape(title)}<code>${escape(id)}</code></th>` +
    (acts ? `<td class="action">${escape(action ?? '')}</td>` : '') +
    `<td class="detail">${escape(detail)}${remedy}${again}</td><td class="time">${formatMs(ms)}</td></tr>`
  )
}

function facts({facts: list}: Report): string {
  if (list.length === 0) return ''
  const rows = list.map(({label, value}) => `<dt>${escape(label)}</dt><dd><code>${escape(value)}</code></dd>`)
  return `<section aria-labelledby="facts"><h2 id="facts">Facts</h2><dl>${rows.join('\n')}</dl></section>`
}

/** The disk to scale, and below it what each partition is. */
function disk({disk: picture}: Report): string {
  if (picture === undefined) return ''
  const items = picture.partitions.map(({name, size, mount, protection, kind}) => {
    const share = Math.max(1, Math.round((1000 * size) / picture.bytes))
    return (
      `<li class="${kind}" style="--share:${share}"><strong>${escape(name)}</strong>` +
      `<span>${escape(mount)}</span><span>${formatBytes(size)}</span><span>${escape(protection)}</span></li>`
    )
  })
  return (
    `<section aria-labelledby="disk"><h2 id="disk">Disk, ${formatBytes(picture.bytes)}</h2>` +
    `${diskMap(picture)}<ol class="disk">${items.join('\n')}</ol></section>`
  )
}
