import {afterEach, describe, expect, it, vi} from 'vitest'

import {baseEnvironment} from './environment.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

function noProxies(): void {
  for (const name of ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'ftp_proxy']) {
    vi.stubEnv(name, undefined)
    vi.stubEnv(name.toUpperCase(), undefined)
  }
}

describe('the proxy', () => {
  it.each([
    ['HTTPS_PROXY', 'https_proxy'],
    ['NO_PROXY', 'no_proxy'],
    ['http_proxy', 'HTTP_PROXY'],
  ])('of %s is known as %s too', (given, other) => {
    noProxies()
    vi.stubEnv(given, 'http://proxy.test:3128')
    expect(baseEnvironment()).toMatchObject({[given]: 'http://proxy.test:3128', [other]: 'http://proxy.test:3128'})
  })

  it('of the lower case wins, also where it is empty', () => {
    noProxies()
    vi.stubEnv('HTTPS_PROXY', 'http://upper.test')
    vi.stubEnv('https_proxy', '')
    expect(baseEnvironment()).toMatchObject({https_proxy: '', HTTPS_PROXY: ''})
  })

  it('is left alone where there is none', () => {
    noProxies()
    expect(Object.keys(baseEnvironment()).filter((name) => /proxy/i.test(name))).toEqual([])
  })
})
