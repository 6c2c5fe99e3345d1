import {countChecks, type Check} from './check.js'
import {escapeMarkup as escape} from './escape.js'
import type {Report} from './report.js'

const seconds = (ms: number) => (ms / 1000).toFixed(3)

/** The report as JUnit XML, in the form that Jenkins, GitLab and GitHub actions read. */
export function reportJunit({title, subject, started, ms, checks}: Report): string {
  const {failed, skipped} = countChecks(checks)
  const counts = `tests="${checks.length}" failures="${failed}" errors="0" skipped="${skipped}" time="${seconds(ms)}"`
  const suite = escape(title)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${suite}" ${counts}>`,
    `  <testsuite name="${suite}" hostname="${escape(subject)}" timestamp="${escape(started)}" ${counts}>`,
    ...checks.map((check) => testCase(check, suite)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function testCase(check: Check, suite: string): string {
  const {id, title, status, detail: found, outcome, fix, action, repeat, ms} = check
  const detail = outcome === undefined ? found : `${outcome}: ${found}`
  const open = `    <testcase classname="${suite}" name="${escape(id)}: ${escape(title)}" time="${seconds(ms)}"`
  const text = escape(
    [
      detail,
      ...(fix === undefined ? [] : [`fix: ${fix}`]),
      ...(action === undefined ? [] : [`done: ${action}`]),
      ...(repeat === undefined ? [] : [`repeat: ${repeat}`]),
    ].join('\n'),
  )
  switch (status) {
    case 'passed':
      return `${open}><system-out>${text}</system-out></testcase>`
    case 'skipped':
      return `${open}><skipped message="${escape(detail)}"/></testcase>`
    case 'failed':
      return `${open}><failure message="${escape(detail)}">${text}</failure></testcase>`
  }
}
