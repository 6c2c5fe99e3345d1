import {describe, expect, it} from 'vitest'

import {isBootReport, parseBootReport, readBootReport, readSettledReport} from './index.js'

const line =
  'CC-BOOT {"version":1,"profile":"development","kernel":"6.1.0","hostname":"cc","locale":"en_US.UTF-8",' +
  '"timezone":"UTC","seconds":36.01,"swap":false,"partitions":[{"name":"cc-root","state":"encrypted","mount":"/",' +
  '"integrity":"none","bytes":501710848}],"tmpfs":["/tmp"]}'

describe('parseBootReport', () => {
  it('reads what the guest prints, and passes over what a later version adds', () => {
    expect(isBootReport(line)).toBe(true)
    expect(parseBootReport(line)).toMatchObject({hostname: 'cc', partitions: [{name: 'cc-root', state: 'encrypted'}]})
    expect(parseBootReport(line.replace('"swap"', '"more":1,"swap"'))).toMatchObject({swap: false})
  })

  it.each([
    ['cut off', line.slice(0, 90), 'is not JSON'],
    ['of another version', line.replace(':1,', ':2,'), "no valid 'version'"],
    ['with a state that there is not', line.replace('"encrypted"', '"open"'), "no valid 'partitions.0.state'"],
    ['with a negative size', line.replace('501710848', '-1'), "no valid 'partitions.0.bytes'"],
    ['without swap', line.replace('"swap":false,', ''), "no valid 'swap'"],
  ])('refuses one that is %s', (_, wrong, message) => {
    expect(() => parseBootReport(wrong)).toThrow(message)
  })

  it('shows only the beginning of a huge line', () => {
    expect(() => parseBootReport(`CC-BOOT {${'x'.repeat(60_000)}`)).toThrow(/^.{0,300}$/s)
  })

  it.each(['', 'cc-boot {}', ' CC-BOOT {', 'CC-BOOT'])('does not take %j for one', (text) => {
    expect(isBootReport(text)).toBe(false)
  })
})

describe('readBootReport', () => {
  it('keeps each field that is valid, and no other', () => {
    expect(readBootReport(line)).toEqual(parseBootReport(line))
    const {swap, ...others} = readBootReport(line.replace('"swap":false', '"swap":"no"'))
    expect(swap).toBeUndefined()
    expect(others).toMatchObject({hostname: 'cc', version: 1})
    expect(Object.keys(others)).toHaveLength(9)
  })

  it.each([line.slice(0, 90), 'CC-BOOT {', 'CC-BOOT null', 'CC-BOOT []'])('has nothing of %j', (text) => {
    expect(readBootReport(text)).toEqual({})
  })
})

describe('readSettledReport', () => {
  const settled = 'CC-SETTLED {"version":1,"state":"degraded","failedUnits":["x.service"]}'

  it('finds the line, and what it says', () => {
    expect(readSettledReport([line, settled])).toMatchObject({state: 'degraded', failedUnits: ['x.service']})
  })

  it.each([
    ['without the line', [line]],
    ['with a line that is cut', [settled.slice(0, -4)]],
    ['with a line of another version', [settled.replace(':1,', ':2,')]],
    ['with a line without units', ['CC-SETTLED {"version":1,"state":"running"}']],
  ])('has nothing of a console %s', (_, lines) => {
    expect(readSettledReport(lines)).toEqual({})
  })
})
