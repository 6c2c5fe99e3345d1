import {resolve} from 'node:path'

import {Flags, type Command} from '@oclif/core'
import {BaseCommand, names, type FlagsOf, withEnvironment} from 'cc-core/command'
import {atomicWrite} from 'cc-core/fs'
import {assertChecks, reportHtml, reportJson, reportJunit, reportTable, type Report} from 'cc-core/report'

/** The base of all commands here: checks are run, shown as a table or JSON, and written as JUnit and HTML. */
export abstract class CheckCommand<T extends typeof Command> extends BaseCommand<T> {
  static override baseFlags = withEnvironment({
    ...BaseCommand.baseFlags,
    junit: names('output-file', Flags.string({summary: 'Also write the results as JUnit XML.', helpValue: 'FILE'})),
    html: names(
      'output-file',
      Flags.string({summary: 'Also write them as one self-contained HTML page.', helpValue: 'FILE'}),
    ),
  })

  declare protected flags: FlagsOf<typeof CheckCommand> & FlagsOf<T>

  #json: object = {}

  /**
   * Shows the report in every form that was asked for; the return value is what --json prints.
   * @throws E_CHECK when a check failed
   */
  protected async show(report: Report, suggestions: readonly string[] = []): Promise<object> {
    const {junit, html} = this.flags
    this.#json = reportJson(report)
    if (junit !== undefined) await atomicWrite(resolve(junit), reportJunit(report))
    if (html !== undefined) await atomicWrite(resolve(html), reportHtml(report))
    await this.reporter.close()
    this.log(reportTable(report, process.stdout.isTTY ? process.stdout.columns : Infinity))
    assertChecks(report.checks, suggestions)
    return this.#json
  }

  /** What was found is shown also when something failed. */
  protected override toErrorJson(thrown: unknown): object {
    return {...this.#json, ...super.toErrorJson(thrown)}
  }
}
