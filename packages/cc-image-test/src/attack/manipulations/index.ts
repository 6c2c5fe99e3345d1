import type {Bench} from '../bench.js'
import type {Manipulation} from '../manipulation.js'
import {changingDiskManipulations} from './changing-disk.js'
import {cmdlineManipulations} from './cmdline.js'
import {consoleManipulations} from './console.js'
import {deviceManipulations} from './devices.js'
import {diskManipulations} from './disk.js'
import {environmentManipulations} from './environment.js'
import {headerManipulations} from './header.js'
import {hostFileManipulations} from './host-files.js'
import {initrdManipulations} from './initrd.js'
import {insideManipulations, lookInside} from './inside.js'
import {jobManipulations} from './job.js'
import {liveManipulations} from './live.js'
import {networkManipulations} from './network.js'
import {tableManipulations} from './table.js'
import type {TamperingManipulation} from './tampered.js'

type Wanted = (manipulation: Manipulation) => boolean

/** What is done to a machine that is up takes longest: it begins early, and short boots fill the gaps at the end. */
const long = (manipulation: Manipulation): Manipulation => ({...manipulation, rank: -1})

/** The first one boots the machine that all the others ask: it begins early, and they come when it has ended. */
const leading = (manipulations: readonly Manipulation[], wanted: Wanted): Manipulation[] =>
  manipulations.filter(wanted).map((one, index) => ({...one, rank: index === 0 ? -2 : 1}))

/**
 * All that is tried, in the order of the report.
 * @param wanted what is chosen of it; a machine that several ask does only what they want to know
 */
export function allManipulations(bench: Bench, wanted: Wanted = () => true): TamperingManipulation[] {
  const inside = lookInside(bench)
  const alone: readonly TamperingManipulation[] = [
    ...diskManipulations,
    ...tableManipulations,
    ...headerManipulations,
    ...initrdManipulations,
    ...cmdlineManipulations,
    ...environmentManipulations,
    ...deviceManipulations,
    ...liveManipulations.map(long),
    ...changingDiskManipulations,
    ...hostFileManipulations,
    ...consoleManipulations.map(long),
  ]
  return [
    ...alone.filter(wanted),
    ...leading(networkManipulations(wanted), wanted),
    ...leading(insideManipulations(inside), wanted),
    ...leading(jobManipulations(wanted), wanted),
  ]
}
