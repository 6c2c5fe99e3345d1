import {describe, expect, it} from 'vitest'

import {CcError, codes, fromStepOutput, toCcError} from './index.js'

describe('CcError', () => {
  it('carries the exit status for both of oclif’s paths', () => {
    const error = new CcError('E_SIZE', 'cc-app has 1M')
    expect(error.exitCode).toBe(2)
    expect(error.oclif.exit).toBe(2)
  })

  it('keeps the reason out of what --json and oclif print', () => {
    const error = new CcError('E_BUG', 'x', {reason: new Error('secret detail')})
    expect(Object.keys(error)).not.toContain('reason')
    expect(error.cause).toBeUndefined()
    expect((error.reason as Error).message).toBe('secret detail')
  })

  it('has an exit status from the documented set for every code', () => {
    for (const {exit, meaning} of Object.values(codes)) {
      expect([1, 2, 3, 4, 5, 6, 7, 130]).toContain(exit)
      expect(meaning).toMatch(/^\S.*[^.]$/)
    }
  })
})

describe('toCcError', () => {
  it('passes a CcError on as it is', () => {
    const error = new CcError('E_KEY', 'no key')
    expect(toCcError(error)).toBe(error)
  })

  it.each([
    [new TypeError('x is not a function'), 'E_BUG', 1],
    ['a thrown text', 'E_BUG', 1],
    [Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'}), 'E_SPACE', 6],
    [Object.assign(new Error('EACCES: permission denied'), {code: 'EACCES', path: '/x'}), 'E_CONFIG', 2],
    [Object.assign(new Error('EISDIR: illegal operation on a directory, read'), {code: 'EISDIR'}), 'E_CONFIG', 2],
    [Object.assign(new Error('ENOENT: no such file'), {code: 'ENOENT', path: '/x'}), 'E_BUG', 1],
    [new DOMException('aborted', 'AbortError'), 'E_INTERRUPTED', 130],
  ])('makes %s %s', (thrown, code, exit) => {
    expect(toCcError(thrown)).toMatchObject({code, exitCode: exit})
  })
})

describe('fromStepOutput', () => {
  it('reads the code, the message and the hints', () => {
    const error = fromStepOutput(
      'working\nerror[E_KEY]: wrong key\n  try: another one\n  try: ask\nmore\n  try: not this\n',
    )
    expect(error).toMatchObject({code: 'E_KEY', message: 'wrong key', suggestions: ['another one', 'ask'], exitCode: 4})
  })

  it('takes the first error, because the later ones follow from it', () => {
    expect(fromStepOutput('error[E_SPACE]: full\nerror[E_STEP_FAILED]: line 3')).toMatchObject({code: 'E_SPACE'})
  })

  it('keeps the message of a code it does not know', () => {
    expect(fromStepOutput('error[E_FUTURE]: odd')).toMatchObject({code: 'E_STEP_FAILED', message: 'odd'})
  })

  it('is null when no step error is announced', () => {
    expect(fromStepOutput('note: error[E_KEY]: quoted\nfatal\n')).toBeNull()
  })
})
