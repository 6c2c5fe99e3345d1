/** Exit statuses of every command. 130 and 143 are added by signals. */
export const exits = {
  bug: 1,
  usage: 2,
  host: 3,
  input: 4,
  step: 5,
  space: 6,
  check: 7,
  interrupted: 130,
} as const

/** Every error code there is: the exit status it leads to and what it means. docs/errors.md is made from this table. */
export const codes = {
  E_BUG: {exit: exits.bug, meaning: 'something failed that we did not foresee; please report it with the log'},
  E_USAGE: {exit: exits.usage, meaning: 'a flag or an argument on the command line is wrong'},
  E_CONFIG: {exit: exits.usage, meaning: 'the configuration has an unknown key or a wrong value'},
  E_LAYOUT: {exit: exits.usage, meaning: 'the layout contradicts itself or asks for what this version cannot do'},
  E_SIZE: {exit: exits.usage, meaning: 'a configured size is too small for what it has to hold'},
  E_HOST_TOOL: {exit: exits.host, meaning: 'the host lacks a program'},
  E_SUBID: {exit: exits.host, meaning: 'the user has no subordinate user or group ids'},
  E_USERNS: {exit: exits.host, meaning: 'the host forbids user namespaces'},
  E_VM: {exit: exits.host, meaning: 'a virtual machine could not be started'},
  E_LOCKED: {exit: exits.host, meaning: 'another build is using the same directory'},
  E_NETWORK: {exit: exits.host, meaning: 'a download source cannot be reached'},
  E_ISO_MISSING: {exit: exits.input, meaning: 'there is no such ISO file'},
  E_ISO_TRUNCATED: {exit: exits.input, meaning: 'the ISO is shorter than its own header says'},
  E_ISO_KIND: {exit: exits.input, meaning: 'the file is not an Ubuntu live-server ISO of a supported release'},
  E_SHA256: {exit: exits.input, meaning: 'a file does not have the expected sha256'},
  E_SIGNATURE: {exit: exits.input, meaning: 'a signature is wrong or made by a key that is not in the keyring'},
  E_IMAGE: {exit: exits.input, meaning: 'the image is missing, damaged or not one of ours'},
  E_KEY: {exit: exits.input, meaning: 'the key is missing or does not open the image'},
  E_PACKAGE: {exit: exits.input, meaning: 'a package cannot be found or installed'},
  E_PATCH: {exit: exits.input, meaning: 'a patch does not apply, or a hook failed'},
  E_STEP_ARGUMENT: {exit: exits.step, meaning: 'a step was called with a wrong parameter'},
  E_STEP_FAILED: {exit: exits.step, meaning: 'a step failed; its log says where'},
  E_SPACE: {exit: exits.space, meaning: 'a disk is full; the image of the run before is as it was'},
  E_CHECK: {exit: exits.check, meaning: 'a check of the image failed'},
  E_INTERRUPTED: {
    exit: exits.interrupted,
    meaning: 'stopped by a signal; running the command again goes on from there',
  },
} as const satisfies Record<string, {exit: number; meaning: string}>

export type ErrorCode = keyof typeof codes

/** Whether a text, say one read from a step's output, is one of our codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(codes, text)
}
