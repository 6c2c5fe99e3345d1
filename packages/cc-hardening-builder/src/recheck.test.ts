import {parseConfig} from 'cc-core/config'
import {expect, it} from 'vitest'

import {planRecheck, recheckConf} from './services/recheck.js'
import {planSite} from './services/site.js'

const kbs = {url: 'https://kbs.example:8443', caFile: '/ca.pem'}
const config = (values: object) => parseConfig({profile: 'production', kbs, ...values})
const off = {recheck: '0'}

it('goes on every 15 minutes in a production image that has somebody to ask, and not in others', () => {
  const conf = (values: object, key: 'kbs' | 'tee-derived' | 'development' = 'kbs') =>
    recheckConf(planRecheck(config(values), key))
  const on = {recheck: '900', 'recheck-ask': 'kbs', 'recheck-failures': '2', 'recheck-network-failures': '8'}
  const [attestation, nvidia] = [{enabled: true}, {enabled: true}]
  expect(conf({})).toEqual(on)
  expect(conf({attestation, nvidia})).toEqual({...on, 'recheck-ask': 'kbs gpu'})
  expect(conf({attestation, nvidia}, 'tee-derived')).toEqual({...on, 'recheck-ask': 'cpu gpu'})
  expect(conf({attestation}, 'tee-derived')).toEqual({...on, 'recheck-ask': 'cpu'})
  expect(conf({}, 'tee-derived')).toEqual(off)
  expect(conf({profile: 'development'}, 'kbs')).toEqual(off)
  expect(conf({attestation: {recheck: {every: 'never'}}})).toEqual(off)
})

it('is as configured, in every profile', () => {
  const recheck = {every: '30s', failures: 1, networkFailures: null}
  const conf = (attestation: object) =>
    recheckConf(
      planRecheck(
        config({profile: 'development', attestation: {enabled: true, recheck, ...attestation}}),
        'development',
      ),
    )
  expect(conf({})).toEqual({
    ...{recheck: '30', 'recheck-ask': 'cpu', 'recheck-failures': '1', 'recheck-network-failures': '0'},
  })
  expect(() => conf({enabled: false})).toThrow('attestation.recheck.every: there is nobody to ask every 30 s')
})

it('opens the port of the key broker, unless a rule is there for it, and says so', () => {
  const site = (outbound: object[] | null, url = kbs.url) => {
    const all = config({kbs: {...kbs, url}, hardening: {role: 'client', network: {outbound}}})
    return planSite(all, planRecheck(all, 'kbs'))
  }
  const {conf, notes} = site(null)
  expect(conf).toEqual(expect.arrayContaining(['outbound=tcp/8002 tcp/8443', 'recheck=900', 'recheck-ask=kbs']))
  expect(notes).toEqual([expect.stringContaining('tcp/8443 while the machine runs, so this rule was added')])
  const there = site([{port: 8443, cidr: '10.0.0.0/8'}])
  expect(there.conf).toContain('outbound=tcp/8443@10.0.0.0/8')
  expect(there.notes).toEqual([])
  expect(site(null, 'https://kbs.example').conf).toContain('outbound=tcp/8002 tcp/443')
})
