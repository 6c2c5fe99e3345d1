import {join} from 'node:path'

import type {Config} from 'cc-core/config'
import {sha256File} from 'cc-core/manifest'
import type {PlannedRequirements} from 'cc-core/pip'
import {hashFolder, planStep, scriptsDirectory, type PlannedStep} from 'cc-core/steps'

import {defaultOutput} from './layout.js'
import type {Site} from './site.js'

/** Where FLARE's own start scripts look for further code: PYTHONPATH in sub_start.sh of a start-up kit. */
const customFolder = '/local/custom'

/** Where the image keeps the list of what pip installed; a copy lies in the image directory. */
export const lock = '/usr/share/cc/python.json'

export interface StepsRequest {
  config: Config
  requirements: PlannedRequirements
  tree: string
  workDir: string
  sourceDateEpoch: number
}

/** The steps that make a FLARE image a hardened one; nothing in them depends on the site. */
export async function hardeningSteps(request: StepsRequest): Promise<PlannedStep[]> {
  const {config, requirements, tree, workDir, sourceDateEpoch} = request
  const {os, flare, hardening, layout} = config
  const {venv} = flare
  const {inputs, input, notes} = requirements
  const {setuid, lockdown, mounts, workspace, logs, memoryDenyWriteExecute, netlink, limits} = hardening
  const epoch = {'source-date-epoch': sourceDateEpoch}
  const {application} = hardening
  const python = [venv, '/usr/lib/python3', ...(application === null ? [] : [customFolder])]
  const guest = join(scriptsDirectory(), 'guest')
  // One tree serves the sites of both roles: what a site does not have is not there at boot.
  const output = mounts.output ?? defaultOutput
  const mountPoints = Object.values(layout.partitions).flatMap(({mount, from}) => [
    mount,
    ...(from === null ? [] : [from]),
  ])
  return Promise.all([
    planStep(
      'hardening/10-application',
      {
        tree,
        venv,
        ...requirements.parameters,
        'allow-conflicts': hardening.allowConflicts,
        cache: join(workDir, 'pip'),
        lock,
        ...epoch,
      },
      {inputs, input, notes, checkpoint: true},
    ),
    ...(application === null
      ? []
      : [
          planStep(
            'hardening/12-custom',
            {tree, source: application, folder: customFolder, ...epoch},
            {inputs: [await hashFolder(application)]},
          ),
        ]),
    planStep('hardening/20-remove', {tree, venv, setuid, ...epoch}),
    planStep(
      'hardening/30-guest',
      {
        tree,
        guest,
        folder: [...new Set([...mountPoints, mounts.input, output])].sort(),
        lockdown,
      },
      {inputs: await Promise.all(['opt-flare', 'hardening', 'initramfs'].map((name) => hashFolder(join(guest, name))))},
    ),
    planStep('hardening/40-service', {
      tree,
      venv,
      workspace,
      site: layout.partitions['cc-ro']?.mount,
      user: os.user.name,
      group: os.user.group,
      writable: [output],
      readable: [mounts.input],
      logs,
      'deny-write-execute': memoryDenyWriteExecute,
      netlink,
      ...{tasks: limits.tasks, memory: limits.memory, 'open-files': limits.openFiles},
      ...{'log-messages': limits.logMessages, 'log-seconds': limits.logSeconds},
    }),
    planStep('base/90-clean', {tree, compiled: ['/usr/lib', venv], ...epoch}),
    planStep('flare/95-compile', {tree, folder: python, ...epoch}),
    planStep('hardening/90-verify', {tree, setuid}),
  ])
}

/** The step that fills a folder with what belongs to one site. */
export async function siteStep(
  {conf, kit, inputKey, outputKey}: Site,
  {output, gid, sourceDateEpoch}: {output: string; gid: number; sourceDateEpoch: number},
): Promise<PlannedStep> {
  const keys = [inputKey, outputKey].filter((file) => file !== null)
  const inputs = [...(kit === null ? [] : [await hashFolder(kit.path)]), ...(await Promise.all(keys.map(sha256File)))]
  return planStep(
    'hardening/50-site',
    {
      ...{output, setting: conf, kit: kit?.path, gid, 'source-date-epoch': sourceDateEpoch},
      ...{'input-key': inputKey ?? undefined, 'output-key': outputKey ?? undefined},
    },
    {inputs},
  )
}
